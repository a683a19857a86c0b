// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gradwire {

/// Who are neighbours, and how much each counts: the matrix W of x_i <- sum_j w_ij x_j, symmetric and doubly
/// stochastic, of a connected graph.
struct Mixing {
  struct Neighbour {
    uint32_t worker;
    double weight;  ///< w_ij > 0
  };
  std::vector<std::vector<Neighbour>> neighbours;  ///< by worker: without itself, by number
  double gap = 1;                                  ///< rho = 1 - |lambda_2|, |lambda_2| the second largest magnitude

  size_t workers() const { return neighbours.size(); }
  size_t edges() const;
};

/// How the weights of a graph come about.
enum class WeightRule {
  kAuto,       ///< of a named graph metropolis; of a file its own numbers
  kMetropolis  ///< w_ij = 1 / (1 + max(deg i, deg j)) (Xiao, Boyd & Kim 2007); of a file only who are neighbours counts
};

/// `graph`: ring, torus (rows and columns as alike as they can be), complete, star, exponential (i and i +- 2^k),
/// regular:K (random, each worker with K neighbours, drawn from `seed`), or the path of a file: n lines of n numbers,
/// behind # comments. Throws ConfigError ("gossip.graph: ...") where there is no such graph of so many workers, the
/// file is not of a symmetric, doubly stochastic matrix without negative numbers, or the graph is not connected, with
/// the line or the workers.
Mixing MakeMixing(const std::string& graph, WeightRule rule, size_t workers, uint64_t seed);

/// The ring alone, as MakeMixing has it, for any number of workers: in linear time and memory, its gap by the formula
/// of circulant matrices.
Mixing MakeRing(size_t workers);

/// "ring, torus, ...".
std::string GraphNames();

}  // namespace gradwire
