// SPDX-License-Identifier: Apache-2.0
#include "train/bench/position_rounds.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <fmt/format.h>

#include "base/philox.h"
#include "gradwire/error.h"
#include "gradwire/piece.h"
#include "measure/rounds.h"
#include "wire/positions.h"

namespace gradwire::train {
namespace {

/// k different numbers below d, ascending.
std::vector<uint32_t> Draw(size_t k, size_t d, uint64_t piece) {
  Philox random(1, Purpose::kSynthetic, piece);
  std::vector<uint32_t> positions;
  for (uint32_t i = 0; positions.size() < k; ++i)
    if (random.Below(static_cast<uint32_t>(d - i)) < k - positions.size()) positions.push_back(i);
  return positions;
}

double Entropy(double k, double d) {
  return (std::lgamma(d + 1) - std::lgamma(k + 1) - std::lgamma(d - k + 1)) / std::numbers::ln2 / k;
}

}  // namespace

PositionTimes TimePositions(double percent, size_t numel, size_t rounds) {
  const size_t d = std::min(numel, kPieceNumel), pieces = std::max<size_t>(1, numel / kPieceNumel);
  const size_t k = std::max<size_t>(1, static_cast<size_t>(percent / 100 * static_cast<double>(d)));
  const PositionCode code(k, d);
  std::vector<std::vector<uint32_t>> positions(pieces), read(pieces, std::vector<uint32_t>(k + kPositionSlack));
  std::vector<std::vector<std::byte>> bytes(pieces, std::vector<std::byte>(code.bytes()));
  for (size_t i = 0; i < pieces; ++i) positions[i] = Draw(k, d, i);
  const auto write = [&](size_t) {
    for (size_t i = 0; i < pieces; ++i) WritePositions(code, positions[i], bytes[i]);
  };
  write(0);  // the first round may read first
  const auto times = TimeRounds({{write}, {[&](size_t) {
                                   for (size_t i = 0; i < pieces; ++i) ReadPositions(code, bytes[i], read[i]);
                                 }}},
                                rounds, /*sets=*/1, Clock::kThread);
  for (size_t i = 0; i < pieces; ++i)
    if (!std::equal(positions[i].begin(), positions[i].end(), read[i].begin()))
      throw Error("bench kernels: WRONG: positions that were written are not those that are read");
  const auto nanoseconds = [&](Interval interval) {
    const double each = 1e9 / static_cast<double>(k * pieces);
    return Interval{each * interval.median, each * interval.low, each * interval.high};
  };
  return {fmt::format("positions:{:g}%", percent), nanoseconds(MedianInterval(times[0])),
          nanoseconds(MedianInterval(times[1])), static_cast<double>(8 * code.bytes()) / static_cast<double>(k),
          Entropy(static_cast<double>(k), static_cast<double>(d))};
}

}  // namespace gradwire::train
