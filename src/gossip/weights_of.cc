// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "gossip/graphs.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr double kSame = 1e-9;

/// That each line of `square`, by name a row or a column, adds up to 1.
void CheckSums(const Square& square, const std::string& file, const char* line, const char* rule,
               const std::function<double(size_t i, size_t j)>& number) {
  for (size_t i = 0; i < square.size(); ++i) {
    double sum = 0;
    for (size_t j = 0; j < square.size(); ++j) sum += number(i, j);
    if (std::abs(sum - 1) > kSame)
      throw ConfigError("gossip.graph", fmt::format("{}: not {}stochastic: {} {} adds up to {:.12g}, expected 1; "
                                                    "gossip.weights: {} makes weights of who are neighbours",
                                                    file, *line == 'c' ? "column-" : "", line, i + 1, sum, rule));
  }
}

/// Off the diagonal alone; the rest of a column is the worker's own.
void SetWeights(Square& edges, WeightRule rule) {
  std::vector<size_t> degrees(edges.size());  // how many hear it
  for (size_t i = 0; i < edges.size(); ++i)
    for (size_t j = 0; j < edges.size(); ++j)
      if (i != j && edges[i][j] > 0) ++degrees[j];
  for (size_t i = 0; i < edges.size(); ++i)
    for (size_t j = 0; j < edges.size(); ++j) {
      const size_t degree = rule == WeightRule::kUniform ? degrees[j] : std::max(degrees[i], degrees[j]);
      if (edges[i][j] > 0) edges[i][j] = 1 / (1 + static_cast<double>(degree));
    }
}

Square OfFile(const std::string& graph, WeightRule rule, size_t workers, Stochastic asks) {
  Square square = ReadSquare(graph, workers);
  if (asks == Stochastic::kDoubly || rule == WeightRule::kMetropolis) MakeSymmetric(square, graph);
  if (rule != WeightRule::kAuto)
    SetWeights(square, rule);
  else if (asks == Stochastic::kDoubly)
    CheckSums(square, graph, "row", "metropolis", [&](size_t i, size_t j) { return square[i][j]; });
  else
    CheckSums(square, graph, "column", "uniform", [&](size_t j, size_t i) { return square[i][j]; });
  return square;
}

}  // namespace

std::vector<Square> WeightsOf(const std::string& graph, WeightRule rule, size_t workers, uint64_t seed,
                              Stochastic asks) {
  if (rule == WeightRule::kUniform && asks == Stochastic::kDoubly)
    throw ConfigError("gossip.weights",
                      "found uniform, whose rows do not add up to 1; expected auto or metropolis, or gossip.method "
                      "push_sum");
  if (std::optional<Square> named = NamedGraph(graph, workers, seed)) {
    SetWeights(*named, rule == WeightRule::kUniform ? rule : WeightRule::kMetropolis);
    return {std::move(*named)};
  }
  std::vector<Square> directed = DirectedGraph(graph, workers);
  if (directed.empty()) return {OfFile(graph, rule, workers, asks)};
  if (asks == Stochastic::kDoubly)
    throw ConfigError("gossip.graph",
                      fmt::format("{} is directed, and its weights are not symmetric; expected an undirected graph, "
                                  "such as exponential, or gossip.method push_sum",
                                  graph));
  if (rule == WeightRule::kMetropolis)
    throw ConfigError("gossip.weights", fmt::format("found metropolis, which is of undirected graphs; expected auto or "
                                                    "uniform because gossip.graph is {}",
                                                    graph));
  for (Square& square : directed) SetWeights(square, WeightRule::kUniform);
  return directed;
}

}  // namespace gradwire
