// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gossip/mixing.h"

namespace gradwire {

/// A matrix of n x n, row by row.
using Square = std::vector<std::vector<double>>;

/// Where w_ij = 1 for neighbours, else 0. Empty where the name is no graph's. Throws ConfigError ("gossip.graph: ...")
/// where there is none of so many workers.
std::optional<Square> NamedGraph(const std::string& name, size_t workers, uint64_t seed);

/// The same of directed graphs, w_ij = 1 where i hears j, one for each round of a cycle. Empty where the name is
/// none's.
std::vector<Square> DirectedGraph(const std::string& name, size_t workers);

/// The numbers of such a file. Throws ConfigError ("gossip.graph: FILE:LINE: ...") for anything else than `workers`
/// lines of as many numbers of 0 or more.
Square ReadSquare(const std::string& file, size_t workers);
/// Makes both triangles the same bits. Throws ConfigError where they differ by more than a file's rounding.
void MakeSymmetric(Square& square, const std::string& file);

/// The weights of a cycle's rounds, w_ij of row i; their diagonals are not set. Throws as MakeMixing, which asks
/// whether the graph is connected.
std::vector<Square> WeightsOf(const std::string& graph, WeightRule rule, size_t workers, uint64_t seed,
                              Stochastic asks);

}  // namespace gradwire
