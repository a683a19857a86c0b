// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace gradwire {

/// Finds out, through the store, which rank is to blame for a failure, so that all survivors name the same one.
class RollCall {
 public:
  RollCall(c10::intrusive_ptr<c10d::Store> store, int rank, int size) : store_(std::move(store)), rank_(rank), size_(size) {}

  /// The first rank that anyone blamed; `suspect` becomes it where there is none yet. Returns `suspect` where the store
  /// cannot be reached any more.
  int Blame(int suspect);

  /// For a failure without a suspect: every survivor reports, and the lowest rank that did not within `patience` is
  /// blamed. -1 where all reported.
  int FindMissing(std::chrono::milliseconds patience);

 private:
  c10::intrusive_ptr<c10d::Store> store_;
  int rank_, size_;
};

}  // namespace gradwire
