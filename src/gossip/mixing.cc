// SPDX-License-Identifier: Apache-2.0
#include "gossip/mixing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <set>

#include <fmt/format.h>
#include <Eigen/Dense>

#include "gossip/graphs.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr double kSame = 1e-9;

Weights Listed(const Square& square) {
  Weights weights;
  const size_t n = square.size();
  weights.neighbours.resize(n), weights.listeners.resize(n);
  for (uint32_t i = 0; i < n; ++i) {
    double in = 0, out = 0;  // in one order, so that they are the same where the matrix is symmetric
    for (uint32_t j = 0; j < n; ++j) {
      if (i == j) continue;
      in += square[i][j], out += square[j][i];
      if (square[i][j] > 0) weights.neighbours[i].push_back({j, square[i][j]});
      if (square[j][i] > 0) weights.listeners[i].push_back(j);
    }
    weights.excess.push_back(in - out);
  }
  return weights;
}

bool IsSymmetric(const Square& square) {
  for (size_t i = 0; i < square.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (square[i][j] != square[j][i]) return false;
  return true;
}

/// Workers that a chain of such steps, of any round, leads to from worker 0.
std::vector<bool> Reached(const std::vector<Square>& rounds, bool backwards) {
  std::vector<bool> reached(rounds[0].size());
  std::vector<size_t> next = {0};
  while (!next.empty()) {
    const size_t i = next.back();
    next.pop_back();
    if (reached[i]) continue;
    reached[i] = true;
    for (const Square& square : rounds)
      for (size_t j = 0; j < square.size(); ++j)
        if ((backwards ? square[i][j] : square[j][i]) > 0) next.push_back(j);
  }
  return reached;
}

void CheckConnected(const std::vector<Square>& rounds, bool is_directed, const std::string& graph) {
  for (const bool backwards : {false, true}) {
    const std::vector<bool> reached = Reached(rounds, backwards);
    const auto missed = std::ranges::find(reached, false) - reached.begin();
    if (missed == std::ssize(reached)) continue;
    throw ConfigError(
        "gossip.graph",
        fmt::format("{}: not {}connected: no way leads from worker {} to worker {}, and they "
                    "would never agree",
                    graph, is_directed ? "strongly " : "", backwards ? missed : 0, backwards ? 0 : missed));
  }
}

Eigen::MatrixXd MatrixOf(const Weights& weights) {
  const auto n = static_cast<Eigen::Index>(weights.workers());
  Eigen::MatrixXd w = Eigen::MatrixXd::Identity(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (const Weights::Neighbour& neighbour : weights.neighbours[static_cast<size_t>(i)]) {
      const auto j = static_cast<Eigen::Index>(neighbour.worker);
      w(i, j) = neighbour.weight, w(j, j) -= neighbour.weight;
    }
  return w;
}

double GapOf(const Mixing& mixing) {
  const auto n = static_cast<Eigen::Index>(mixing.workers());
  if (n < 2) return 1;
  Eigen::MatrixXd product = Eigen::MatrixXd::Identity(n, n);
  for (const Weights& weights : mixing.rounds) product = MatrixOf(weights) * product;
  std::vector<double> magnitudes;
  if (mixing.is_directed) {
    const Eigen::EigenSolver<Eigen::MatrixXd> solver(product, /*computeEigenvectors=*/false);
    for (Eigen::Index i = 0; i < n; ++i) magnitudes.push_back(std::abs(solver.eigenvalues()(i)));
  } else {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(product, Eigen::EigenvaluesOnly);
    for (Eigen::Index i = 0; i < n; ++i) magnitudes.push_back(std::abs(solver.eigenvalues()(i)));
  }
  std::ranges::sort(magnitudes, std::greater<>());
  return 1 - magnitudes[1];  // the first one is 1
}

}  // namespace

std::vector<uint32_t> Mixing::HeardBy(uint32_t worker) const {
  std::set<uint32_t> heard;
  for (const Weights& weights : rounds)
    for (const Weights::Neighbour& neighbour : weights.neighbours.at(worker)) heard.insert(neighbour.worker);
  return {heard.begin(), heard.end()};
}

size_t Mixing::edges() const {
  size_t ends = 0;
  for (const auto& some : rounds.at(0).neighbours) ends += some.size();
  return is_directed ? ends : ends / 2;
}

Mixing MakeMixing(const std::string& graph, WeightRule rule, size_t workers, uint64_t seed, Stochastic asks) {
  const std::vector<Square> squares = WeightsOf(graph, rule, workers, seed, asks);
  Mixing mixing;
  mixing.is_directed = !std::ranges::all_of(squares, IsSymmetric);
  CheckConnected(squares, mixing.is_directed, graph);
  for (const Square& square : squares) mixing.rounds.push_back(Listed(square));
  mixing.gap = GapOf(mixing);
  if (mixing.gap < kSame)
    throw ConfigError("gossip.graph",
                      fmt::format("{}: its weights mix nothing: an eigenvalue is of magnitude 1; expected workers that "
                                  "count themselves, too",
                                  graph));
  return mixing;
}

Mixing MakeRing(size_t workers) {
  Mixing mixing;
  Weights& weights = mixing.rounds.emplace_back();
  weights.neighbours.resize(workers), weights.listeners.resize(workers), weights.excess.resize(workers);
  for (size_t i = 0; i < workers; ++i) {
    const size_t next = (i + 1) % workers, last = (i + workers - 1) % workers;
    const double weight = next == last ? 0.5 : 1.0 / 3;
    for (const size_t j : {std::min(next, last), std::max(next, last)}) {
      auto& listeners = weights.listeners[i];
      if (j == i || (!listeners.empty() && listeners.back() == j)) continue;
      weights.neighbours[i].push_back({static_cast<uint32_t>(j), weight});
      listeners.push_back(static_cast<uint32_t>(j));
    }
  }
  if (workers > 3) mixing.gap = 1 - (1 + 2 * std::cos(2 * std::numbers::pi / static_cast<double>(workers))) / 3;
  return mixing;
}

std::string GraphNames() {
  return "ring, torus, complete, star, exponential, regular:K, of push_sum also directed_ring, directed_exponential, "
         "one_peer_exponential; or the path of a file";
}

}  // namespace gradwire
