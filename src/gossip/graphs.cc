// SPDX-License-Identifier: Apache-2.0
#include "gossip/graphs.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <string_view>

#include <fmt/format.h>

#include "base/philox.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr size_t kTries = 1000;  // of pairings; one in a few has no dead end

[[noreturn]] void Refuse(const std::string& what) { throw ConfigError("gossip.graph", what); }

void Join(Square& edges, size_t a, size_t b) {
  if (a != b) edges[a][b] = edges[b][a] = 1;
}

void Ring(Square& edges) {
  for (size_t i = 0; i < edges.size(); ++i) Join(edges, i, (i + 1) % edges.size());
}

/// A grid that is closed both ways.
void Torus(Square& edges) {
  const size_t n = edges.size();
  size_t rows = 1;
  for (size_t r = 2; r * r <= n; ++r)
    if (n % r == 0) rows = r;
  if (rows == 1)
    Refuse(fmt::format("torus: {} workers make no grid; expected a product such as {}, or ring", n, n + 1));
  const size_t columns = n / rows;
  for (size_t i = 0; i < n; ++i) {
    Join(edges, i, i / columns * columns + (i + 1) % columns);
    Join(edges, i, (i + columns) % n);
  }
}

void Complete(Square& edges) {
  for (size_t i = 0; i < edges.size(); ++i)
    for (size_t j = 0; j < i; ++j) Join(edges, i, j);
}

void Star(Square& edges) {
  for (size_t i = 1; i < edges.size(); ++i) Join(edges, 0, i);
}

void Exponential(Square& edges) {
  for (size_t i = 0; i < edges.size(); ++i)
    for (size_t hop = 1; hop < edges.size(); hop *= 2) Join(edges, i, (i + hop) % edges.size());
}

/// Pairs ends of edges at random until none is left, or those that are left cannot be paired.
bool Pair(Square& edges, size_t degree, Philox& random) {
  std::vector<size_t> ends;
  for (size_t i = 0; i < edges.size(); ++i) ends.insert(ends.end(), degree, i);
  const auto fits = [&](size_t a, size_t b) { return ends[a] != ends[b] && edges[ends[a]][ends[b]] == 0; };
  while (!ends.empty()) {
    size_t a = 0, b = 0;
    for (size_t tries = 0; tries < kTries && !fits(a, b); ++tries)
      a = random.Below(static_cast<uint32_t>(ends.size())), b = random.Below(static_cast<uint32_t>(ends.size()));
    if (!fits(a, b)) return false;
    Join(edges, ends[a], ends[b]);
    ends.erase(ends.begin() + static_cast<std::ptrdiff_t>(std::max(a, b)));
    ends.erase(ends.begin() + static_cast<std::ptrdiff_t>(std::min(a, b)));
  }
  return true;
}

/// A random graph in which each worker has as many neighbours (Steger & Wormald, "Generating random regular graphs
/// quickly", 1999).
void Regular(Square& edges, std::string_view text, uint64_t seed) {
  size_t degree = 0;
  const size_t n = edges.size();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), degree);
  if (error != std::errc() || end != text.data() + text.size() || degree < 2 || degree >= n || n * degree % 2 != 0)
    Refuse(
        fmt::format("regular:{}: expected regular:K with K neighbours of each of {} workers, from 2 to {}, {} "
                    "times K an even number",
                    text, n, n == 0 ? 0 : n - 1, n));
  Philox random(seed, Purpose::kShuffle, /*a=*/1u << 31, degree);
  for (size_t tries = 0; tries < kTries; ++tries) {
    edges = Square(n, std::vector<double>(n));
    if (Pair(edges, degree, random)) return;
  }
  Refuse(fmt::format("regular:{}: none was found for {} workers; expected fewer neighbours, or complete", text, n));
}

}  // namespace

std::optional<Square> NamedGraph(const std::string& name, size_t workers, uint64_t seed) {
  constexpr std::string_view kRegular = "regular:";
  Square edges(workers, std::vector<double>(workers));
  if (name == "ring")
    Ring(edges);
  else if (name == "torus")
    Torus(edges);
  else if (name == "complete")
    Complete(edges);
  else if (name == "star")
    Star(edges);
  else if (name == "exponential")
    Exponential(edges);
  else if (name.starts_with(kRegular))
    Regular(edges, std::string_view(name).substr(kRegular.size()), seed);
  else
    return std::nullopt;
  return edges;
}

std::vector<Square> DirectedGraph(const std::string& name, size_t workers) {
  const auto speaks = [&](Square& heard, size_t hop) {
    for (size_t i = 0; i < workers; ++i)
      if (hop < workers) heard[(i + hop) % workers][i] = 1;
  };
  const Square none(workers, std::vector<double>(workers));
  std::vector<Square> rounds;
  if (name == "directed_ring") {
    speaks(rounds.emplace_back(none), 1);
  } else if (name == "directed_exponential") {
    rounds.push_back(none);
    for (size_t hop = 1; hop < workers; hop *= 2) speaks(rounds[0], hop);
  } else if (name == "one_peer_exponential") {
    size_t hop = 1;
    do speaks(rounds.emplace_back(none), hop);
    while ((hop *= 2) < workers);
  }
  return rounds;
}

}  // namespace gradwire
