// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "train/launch/notes.h"

namespace gradwire::train {

/// All ranks save, and perhaps stop, at the same synchronisation point, though a signal or a clock tells them at
/// different times. Points (exchanges; in local mode agreements) are counted from 1, the same on all ranks.
///
/// A rank between points p and p + 1 leaves a note of the number p + 1, where nobody has left one before. It does so
/// before it takes part in exchange p + 1, which no rank can complete without it: so every rank that looks after point
/// p + 1 finds the number. Then the next one can be left. Costs a look at the notes a point.
class SavePlan {
 public:
  struct Due {
    int signal = 0;  ///< 0: go on after the save
  };

  /// `notes`: of all ranks; they outlive it.
  explicit SavePlan(Notes& notes) : notes_(notes) {}

  /// A synchronisation point has been passed: what all ranks do now, if anything. Throws PeerError without notes.
  std::optional<Due> PassPoint();

  /// Asks for a save at the next point, with 0 or the signal that stops the run. Nothing where a save is planned. Not
  /// between an exchange and its PassPoint. Throws PeerError without notes.
  void Propose(int signal);

 private:
  std::string Key() const { return "save/" + std::to_string(done_); }

  Notes& notes_;
  uint64_t point_ = 0, done_ = 0;
  bool proposed_ = false;  // something, for the next save
};

}  // namespace gradwire::train
