// SPDX-License-Identifier: Apache-2.0
#include "measure/rounds.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "base/timer.h"

namespace gradwire {

std::vector<std::vector<double>> TimeRounds(const std::vector<Subject>& subjects, size_t rounds, size_t sets,
                                            uint64_t seed) {
  std::vector<std::vector<double>> times(subjects.size());
  std::vector<size_t> order(subjects.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937_64 random(seed);
  size_t run = 0;
  for (size_t round = 0; round <= rounds; ++round) {
    std::ranges::shuffle(order, random);
    for (const size_t i : order) {
      const size_t set = run++ % sets;
      if (subjects[i].prepare) subjects[i].prepare(set);
      double seconds = 0;
      {
        const Timer timer(seconds);
        subjects[i].work(set);
      }
      if (round > 0) times[i].push_back(seconds);
    }
  }
  return times;
}

}  // namespace gradwire
