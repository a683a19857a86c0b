// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace gradwire {

/// Adds its lifetime, in seconds, to a total.
class Timer {
 public:
  explicit Timer(double& total) : total_(total) {}
  ~Timer() { total_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Timer(const Timer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& total_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace gradwire
