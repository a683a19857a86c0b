// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace gradwire::train {

/// Seconds on a clock that nobody sets; only differences mean something.
inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace gradwire::train
