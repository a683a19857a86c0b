// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace gradwire {

/// Events on a clock of their own, in seconds that nobody waits for: one after another on the thread that asks for
/// them, so that what happens depends on nothing else.
class SimulatedTime {
 public:
  double now() const { return now_; }

  /// `act` happens `delay` seconds from now; of two at the same time the one that was named earlier comes first.
  void After(double delay, std::function<void()> act) {
    events_.emplace(std::pair(now_ + delay, named_++), std::move(act));
  }

  /// The next event happens. False: there is none left.
  bool Next() {
    if (events_.empty()) return false;
    const auto event = events_.extract(events_.begin());
    now_ = event.key().first;
    event.mapped()();
    return true;
  }

 private:
  double now_ = 0;
  uint64_t named_ = 0;
  std::map<std::pair<double, uint64_t>, std::function<void()>> events_;
};

}  // namespace gradwire
