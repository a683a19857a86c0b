// SPDX-License-Identifier: Apache-2.0
#include "measure/rounds.h"

#include <time.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace gradwire {

double SecondsOf(Clock clock) {
  timespec now{};
  clock_gettime(clock == Clock::kThread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<std::vector<double>> TimeRounds(const std::vector<Subject>& subjects, size_t rounds, size_t sets,
                                            Clock clock) {
  std::vector<std::vector<double>> times(subjects.size());
  std::vector<size_t> order(subjects.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937_64 random(1);
  size_t run = 0;
  for (size_t round = 0; round <= rounds; ++round) {
    std::ranges::shuffle(order, random);
    for (const size_t i : order) {
      const size_t set = run++ % sets;
      if (subjects[i].prepare) subjects[i].prepare(set);
      const double begin = SecondsOf(clock);
      subjects[i].work(set);
      const double seconds = SecondsOf(clock) - begin;
      if (round > 0) times[i].push_back(seconds);
    }
  }
  return times;
}

}  // namespace gradwire
