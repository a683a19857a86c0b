// SPDX-License-Identifier: Apache-2.0
#include "c10d/setup_wait.h"

#include <algorithm>
#include <thread>

namespace gradwire {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestPause{50}, kBetweenChecks{1000};

}  // namespace

SetupWait::SetupWait(RollCall& roll_call, milliseconds timeout, std::string what,
                     std::function<std::vector<int>()> missing)
    : roll_call_(roll_call), timeout_(timeout), what_(std::move(what)), missing_(std::move(missing)) {}

void SetupWait::Check() {
  const auto now = Clock::now();
  const auto waited = std::chrono::duration_cast<milliseconds>(now - begin_);
  if (waited >= timeout_) throw Failed("nothing has come meanwhile");
  if (now - checked_ < std::min(kBetweenChecks, timeout_ / 4)) return;
  checked_ = now;
  if (roll_call_.Answer())
    throw roll_call_.Verdict(roll_call_.Blame(-1), "is gone, while ranks met for " + what_, "another rank says so");
  if (!notice_.IsDue(waited)) return;
  const std::vector<int> missing = missing_();
  SayOnStderr(roll_call_.Name(roll_call_.rank()) + " has waited " + Seconds(waited) + " for " +
              (missing.empty() ? "the other ranks" : roll_call_.Names(missing)) + ", to meet for " + what_ +
              "; it gives up after " + Seconds(timeout_));
}

void SetupWait::Pause() {
  std::this_thread::sleep_for(pause_);
  pause_ = std::min(2 * pause_, kLongestPause);
  Check();
}

PeerError SetupWait::Failed(const std::string& detail) {
  return roll_call_.Verdict(
      roll_call_.FindMissing(),
      "has not met the others for " + what_ + " within " + std::to_string(timeout_.count()) + " ms", detail);
}

}  // namespace gradwire
