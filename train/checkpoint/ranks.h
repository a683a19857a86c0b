// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "gradwire/collective.h"

namespace gradwire::train {

/// The ranks of a job for which this thread saves and goes on: one of a collective's, or all, which are then here.
class Ranks {
 public:
  /// The collective's own one; it outlives this.
  Ranks(Collective& collective)  // NOLINT(google-explicit-constructor)
      : collective_(&collective), size_(collective.size()), own_{collective.rank()} {}
  /// All of so many.
  explicit Ranks(int size) : size_(size) {
    for (int rank = 0; rank < size; ++rank) own_.push_back(rank);
  }

  int size() const { return size_; }
  /// This thread's, ascending.
  const std::vector<int>& own() const { return own_; }
  bool has_first() const { return own_.front() == 0; }

  /// The texts of all ranks, by rank, of which `own` are this thread's. All call it alike.
  std::vector<std::string> Gather(const std::vector<std::string>& own) const {
    return collective_ != nullptr ? collective_->GatherText(own.front()) : own;
  }
  /// Waits until all have called it.
  void Meet() const {
    double one = 1;
    if (collective_ != nullptr) collective_->Finish(collective_->StartAllReduce(std::span<double>(&one, 1)));
  }

 private:
  Collective* collective_ = nullptr;
  int size_;
  std::vector<int> own_;
};

}  // namespace gradwire::train
