// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gradwire {

/// Who hears whom in a round, and how much each counts: the matrix W of x_i <- sum_j w_ij x_j.
struct Weights {
  struct Neighbour {
    uint32_t worker;
    double weight;  ///< w_ij > 0
  };
  std::vector<std::vector<Neighbour>> neighbours;  ///< by worker: whom it hears, without itself, by number
  std::vector<std::vector<uint32_t>> listeners;    ///< by worker: who hears it, by number
  std::vector<double> excess;                      ///< by worker: sum_j w_ij - 1; exactly 0 where W is symmetric

  size_t workers() const { return neighbours.size(); }
};

/// A graph's weights, of a connected graph: symmetric and doubly stochastic, the same in all rounds; or of one where
/// ways lead from each worker to each other one, column-stochastic, with a cycle of rounds.
struct Mixing {
  std::vector<Weights> rounds;  ///< of round k: k mod their number; a worker has as many listeners in all of them
  bool is_directed = false;     ///< the weights are not symmetric
  double gap = 1;  ///< rho = 1 - |lambda_2| of the rounds' product, |lambda_2| its second largest magnitude

  size_t workers() const { return rounds.at(0).workers(); }
  /// Whom a worker hears in some round, by number.
  std::vector<uint32_t> HeardBy(uint32_t worker) const;
  /// Of an undirected graph edges, else messages of a round.
  size_t edges() const;
};

/// How the weights of a graph come about.
enum class WeightRule {
  kAuto,        ///< of a named graph metropolis, if it is directed uniform; of a file its own numbers
  kMetropolis,  ///< w_ij = 1 / (1 + max(deg i, deg j)) (Xiao, Boyd & Kim 2007); of a file only who are neighbours
                ///< counts
  kUniform      ///< w_ij = 1 / (1 + how many hear j), column-stochastic; of a file only who hears whom counts
};

/// What a method asks of the weights: that rows and columns add up to 1, by symmetry, or columns alone.
enum class Stochastic { kDoubly, kColumns };

/// `graph`: ring, torus (rows and columns as alike as they can be), complete, star, exponential (i and i +- 2^k),
/// regular:K (random, each worker with K neighbours, drawn from `seed`), or the path of a file: n lines of n numbers,
/// behind # comments. Of columns also directed_ring, directed_exponential (i speaks to i + 2^k) and
/// one_peer_exponential (in round k to i + 2^(k mod ceil(log2 n)) alone; Assran et al. 2019, arXiv 1811.10792). Throws
/// ConfigError ("gossip.graph: ...", "gossip.weights: ...") where there is no such graph of so many workers or the rule
/// is not for it, the file is not of a matrix without negative numbers as the method asks for, or the graph is not
/// connected, with the line or the workers.
Mixing MakeMixing(const std::string& graph, WeightRule rule, size_t workers, uint64_t seed,
                  Stochastic asks = Stochastic::kDoubly);

/// The ring alone, as MakeMixing has it, for any number of workers: in linear time and memory, its gap by the formula
/// of circulant matrices.
Mixing MakeRing(size_t workers);

/// "ring, torus, ...".
std::string GraphNames();

}  // namespace gradwire
