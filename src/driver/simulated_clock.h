// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <vector>

#include "driver/async.h"

namespace gradwire {

/// How long a worker takes for a job, in units of the simulated clock.
struct DelayModel {
  enum class Kind {
    kNone,     ///< 1
    kFixed,    ///< s_i
    kPoisson,  ///< Poisson(s_i)
    kNormal,   ///< |N(s_i, s_i)| + 1
    kUniform   ///< U(0, s_i) + 1
  } kind = Kind::kFixed;
  std::vector<double> speed;  ///< s_i by worker
};

/// The event loop on a simulated clock, in one thread: reproducible to the last job. Jobs of a busy worker wait in its
/// queue; of two that finish at the same time the one that was begun earlier comes first.
class SimulatedClock {
 public:
  SimulatedClock(const DelayModel& delays, uint64_t seed);

  void Begin(AsyncJob job);
  /// The next job that is finished; its worker begins the next one of its queue.
  AsyncJob Finish();

  double now() const { return now_; }

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(now_, begun_, waiting_, is_busy_, drawn_, events_);
  }

 private:
  struct Event {
    double time;
    uint64_t order;
    AsyncJob job;

    template <typename Archive>
    void serialize(Archive& archive) {
      archive(time, order, job);
    }
    bool operator>(const Event& other) const { return time != other.time ? time > other.time : order > other.order; }
  };

  double Delay(uint32_t worker);
  void Run(AsyncJob job);

  const DelayModel delays_;
  const uint64_t seed_;
  double now_ = 0;
  uint64_t begun_ = 0;
  std::vector<std::deque<AsyncJob>> waiting_;
  std::vector<char> is_busy_;
  std::vector<uint64_t> drawn_;
  std::vector<Event> events_;  // a heap, the earliest first
};

}  // namespace gradwire
