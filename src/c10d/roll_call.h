// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace gradwire {

/// Finds out, through the job's store, which rank is to blame for a failure, so that all survivors name the same one.
/// All collectives of a job share one roll call.
class RollCall {
 public:
  RollCall(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size);

  /// The first rank that anyone blamed; `suspect` becomes it where there is none yet. Returns `suspect` where the store
  /// cannot be reached any more.
  int Blame(int suspect);

  /// Whether anyone has blamed a rank yet. False where the store cannot be reached.
  bool SomeoneIsBlamed();

  /// For a wait that ended without a suspect: every rank whose wait ended reports, and the lowest one that did not
  /// within `patience` is blamed. -1 where all reported.
  int FindMissing(std::chrono::milliseconds patience);

 private:
  c10::intrusive_ptr<c10d::Store> store_;
  int rank_, size_;
};

}  // namespace gradwire
