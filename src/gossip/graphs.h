// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradwire {

/// A matrix of n x n, row by row.
using Square = std::vector<std::vector<double>>;

/// Where w_ij = 1 for neighbours, else 0. Empty where the name is no graph's. Throws ConfigError ("gossip.graph: ...")
/// where there is none of so many workers.
std::optional<Square> NamedGraph(const std::string& name, size_t workers, uint64_t seed);

/// The numbers of such a file. Throws ConfigError ("gossip.graph: FILE:LINE: ...") for anything else than `workers`
/// lines of as many numbers of 0 or more, of a symmetric matrix.
Square ReadSquare(const std::string& file, size_t workers);

}  // namespace gradwire
