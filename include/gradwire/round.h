// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace gradwire {

/// What all ranks know of a round before it starts: one exchange of one vector. Several vectors may be exchanged in a
/// step, each in a channel of its own (Exchange::Open); gradients are channel 0.
struct Round {
  // A step alone is a round: most callers have no step size to tell.
  Round(uint64_t step = 0, double lr = 1) : step(step), lr(lr) {}  // NOLINT(google-explicit-constructor)

  /// The round of the same step in another channel.
  Round In(uint32_t other_channel) const {
    Round round = *this;
    round.channel = other_channel;
    return round;
  }

  /// The step size of a parameter.
  double LrOf(uint32_t parameter) const { return lrs ? lrs->at(parameter) : lr; }

  /// The number that stands for the round in the counters of random bits, so that no two vectors of a run draw the same
  /// ones. Steps are below 2^40.
  uint64_t draw() const { return step + (uint64_t{channel} << 40); }

  uint64_t step;
  double lr;  ///< step size, finite, 0 or more: links with the step size inside keep their memory in its units
  std::shared_ptr<const std::vector<double>> lrs = nullptr;  ///< by parameter, where they have their own; else null
  uint32_t channel = 0;
};

}  // namespace gradwire
