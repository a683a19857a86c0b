// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <functional>

#include "base/normal.h"
#include "driver/simulated_clock.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

/// Knuth's: the number of uniform factors until their product falls below e^-mean; of a large mean, whose power would
/// be 0, the sum of parts.
double Poisson(Philox& random, double mean) {
  constexpr double kPart = 500;
  double count = 0;
  for (; mean > 0; mean -= kPart) {
    const double limit = std::exp(-std::min(mean, kPart));
    for (double product = random.Uniform(); product > limit; ++count) product *= random.Uniform();
  }
  return count;
}

}  // namespace

SimulatedClock::SimulatedClock(const DelayModel& delays, uint64_t seed)
    : delays_(delays),
      seed_(seed),
      waiting_(delays.speed.size()),
      is_busy_(delays.speed.size()),
      drawn_(delays.speed.size()) {}

double SimulatedClock::Delay(uint32_t worker) {
  const double s = delays_.speed[worker];
  Philox random(seed_, Purpose::kSynthetic, worker, drawn_[worker]++);
  switch (delays_.kind) {
    case DelayModel::Kind::kNone: return 1;
    case DelayModel::Kind::kFixed: return s;
    case DelayModel::Kind::kPoisson: return Poisson(random, s);
    case DelayModel::Kind::kNormal: return std::abs(s + s * Normal(random)) + 1;
    case DelayModel::Kind::kUniform: return s * random.Uniform() + 1;
  }
  throw Error("DelayModel: no such kind");
}

void SimulatedClock::Begin(AsyncJob job) {
  if (is_busy_.at(job.worker))
    waiting_[job.worker].push_back(std::move(job));
  else
    Run(std::move(job));
}

void SimulatedClock::Run(AsyncJob job) {
  is_busy_[job.worker] = true;
  const double time = now_ + Delay(job.worker);
  events_.push_back({time, begun_++, std::move(job)});
  std::push_heap(events_.begin(), events_.end(), std::greater<>());
}

AsyncJob SimulatedClock::Finish() {
  if (events_.empty()) throw Error("the simulated clock has no job under way: no worker was given one");
  std::pop_heap(events_.begin(), events_.end(), std::greater<>());
  Event event = std::move(events_.back());
  events_.pop_back();
  now_ = event.time;
  is_busy_[event.job.worker] = false;
  std::deque<AsyncJob>& waiting = waiting_[event.job.worker];
  if (!waiting.empty()) {
    AsyncJob next = std::move(waiting.front());
    waiting.pop_front();
    Run(std::move(next));
  }
  return event.job;
}

}  // namespace gradwire
