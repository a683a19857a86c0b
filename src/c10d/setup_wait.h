// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/notice.h"
#include "c10d/roll_call.h"

namespace gradwire {

/// A wait for the other ranks outside of the operations of a collective: for texts in the store, or while a group is
/// made. Answers roll calls meanwhile, says on stderr whom it waits for where that takes long, and ends with a verdict.
class SetupWait {
 public:
  using Clock = std::chrono::steady_clock;

  /// `what`: the wait is for, "the settings of gradwire/0". `missing`: the ranks that it waits for, as far as is known.
  SetupWait(RollCall& roll_call, std::chrono::milliseconds timeout, std::string what,
            std::function<std::vector<int>()> missing);

  /// To be called every now and then. Throws PeerError where a rank has been blamed, or the timeout is over.
  void Check();
  /// Sleeps a little, and Checks.
  void Pause();
  /// The wait has ended without a result, by this error.
  PeerError Failed(const std::string& detail);

 private:
  RollCall& roll_call_;
  const std::chrono::milliseconds timeout_;
  const std::string what_;
  const std::function<std::vector<int>()> missing_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point checked_ = begin_;
  std::chrono::milliseconds pause_{1};
  Notice notice_{timeout_};
};

}  // namespace gradwire
