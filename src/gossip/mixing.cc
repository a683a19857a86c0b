// SPDX-License-Identifier: Apache-2.0
#include "gossip/mixing.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <fmt/format.h>
#include <Eigen/Dense>

#include "gossip/graphs.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr double kSame = 1e-9;

void CheckStochastic(const Square& weights, const std::string& file) {
  for (size_t i = 0; i < weights.size(); ++i)
    if (const double sum = std::reduce(weights[i].begin(), weights[i].end()); std::abs(sum - 1) > kSame)
      throw ConfigError("gossip.graph",
                        fmt::format("{}: not stochastic: row {} adds up to {:.12g}, expected 1; gossip.weights: "
                                    "metropolis makes weights of who are neighbours",
                                    file, i + 1, sum));
}

/// Off the diagonal alone; the rest of a row is the worker's own.
void SetMetropolis(Square& edges) {
  std::vector<size_t> degrees;
  for (size_t i = 0; i < edges.size(); ++i) {
    edges[i][i] = 0;
    degrees.push_back(edges.size() - static_cast<size_t>(std::ranges::count(edges[i], 0.0)));
  }
  for (size_t i = 0; i < edges.size(); ++i)
    for (size_t j = 0; j < edges.size(); ++j)
      if (edges[i][j] > 0) edges[i][j] = 1 / (1 + static_cast<double>(std::max(degrees[i], degrees[j])));
}

void CheckConnected(const Mixing& mixing, const std::string& graph) {
  std::vector<bool> reached(mixing.workers());
  std::vector<size_t> next = {0};
  while (!next.empty()) {
    const size_t i = next.back();
    next.pop_back();
    if (reached[i]) continue;
    reached[i] = true;
    for (const Mixing::Neighbour& neighbour : mixing.neighbours[i]) next.push_back(neighbour.worker);
  }
  const auto missed = std::ranges::find(reached, false) - reached.begin();
  if (missed < std::ssize(reached))
    throw ConfigError("gossip.graph",
                      fmt::format("{}: not connected: no way leads from worker 0 to worker {}, and they "
                                  "would never agree",
                                  graph, missed));
}

double GapOf(const Mixing& mixing) {
  const auto n = static_cast<Eigen::Index>(mixing.workers());
  Eigen::MatrixXd w = Eigen::MatrixXd::Identity(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (const Mixing::Neighbour& neighbour : mixing.neighbours[static_cast<size_t>(i)])
      w(i, static_cast<Eigen::Index>(neighbour.worker)) = neighbour.weight, w(i, i) -= neighbour.weight;
  if (n < 2) return 1;
  const Eigen::VectorXd values =
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(w, Eigen::EigenvaluesOnly).eigenvalues();
  return 1 - std::max(std::abs(values(0)), std::abs(values(n - 2)));  // ascending; the last one is 1
}

}  // namespace

size_t Mixing::edges() const {
  size_t ends = 0;
  for (const auto& some : neighbours) ends += some.size();
  return ends / 2;
}

Mixing MakeMixing(const std::string& graph, WeightRule rule, size_t workers, uint64_t seed) {
  std::optional<Square> weights = NamedGraph(graph, workers, seed);
  if (weights || rule == WeightRule::kMetropolis) {
    if (!weights) weights = ReadSquare(graph, workers);
    SetMetropolis(*weights);
  } else {
    weights = ReadSquare(graph, workers);
    CheckStochastic(*weights, graph);
  }
  Mixing mixing;
  for (size_t i = 0; i < workers; ++i) {
    auto& neighbours = mixing.neighbours.emplace_back();
    for (size_t j = 0; j < workers; ++j)
      if (i != j && (*weights)[i][j] > 0) neighbours.push_back({static_cast<uint32_t>(j), (*weights)[i][j]});
  }
  CheckConnected(mixing, graph);
  mixing.gap = GapOf(mixing);
  if (mixing.gap < kSame)
    throw ConfigError("gossip.graph",
                      fmt::format("{}: its weights mix nothing: an eigenvalue is -1; expected workers that count "
                                  "themselves, too",
                                  graph));
  return mixing;
}

Mixing MakeRing(size_t workers) {
  Mixing mixing{.neighbours = std::vector<std::vector<Mixing::Neighbour>>(workers)};
  for (size_t i = 0; i < workers; ++i) {
    const size_t next = (i + 1) % workers, last = (i + workers - 1) % workers;
    auto& neighbours = mixing.neighbours[i];
    const double weight = next == last ? 0.5 : 1.0 / 3;
    for (const size_t j : {std::min(next, last), std::max(next, last)})
      if (j != i && (neighbours.empty() || neighbours.back().worker != j))
        neighbours.push_back({static_cast<uint32_t>(j), weight});
  }
  if (workers > 3) mixing.gap = 1 - (1 + 2 * std::cos(2 * std::numbers::pi / static_cast<double>(workers))) / 3;
  return mixing;
}

std::string GraphNames() { return "ring, torus, complete, star, exponential, regular:K or the path of a file"; }

}  // namespace gradwire
