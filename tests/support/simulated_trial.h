// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a seed stands for: a method, an operator, a topology, and jobs one after another, each going on from the save of
// the one before, perhaps with more or fewer ranks; in some of them messages or ranks fail.

#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/philox.h"
#include "collective/simulated.h"
#include "support/combinations.h"

namespace gradwire::testing {

/// One rank of a job leaves, or falls silent.
struct Casualty {
  int rank = 0;
  bool dies = true;  ///< else it only stops
  double after_s = 0;
};

struct SimulatedJob {
  int ranks = 0;
  uint64_t begin = 0, end = 0;  ///< rounds
  SimulatedFaults faults = {};
  std::optional<Casualty> casualty = {};

  bool is_clean() const {
    return !casualty && faults.drop + faults.repeat + faults.cut + faults.cut_mute + faults.flip == 0;
  }
};

struct SimulatedTrial {
  uint64_t seed = 0;
  Combination combination;
  bool in_doubles = false;
  std::optional<uint64_t> nan_round = {};  ///< in which rank 0's first gradient has a NaN
  std::vector<SimulatedJob> jobs = {};

  std::string text() const {
    std::string text =
        fmt::format("seed {}: {} {} over {}, down {}, {}", seed, combination.method, combination.compressor,
                    combination.topology, combination.down, in_doubles ? "doubles" : "floats");
    for (const SimulatedJob& job : jobs)
      text += fmt::format("; {} ranks to round {}{}", job.ranks, job.end, job.is_clean() ? "" : " with faults");
    return text;
  }
};

/// The combinations that there are, those of one method and topology together.
inline std::vector<std::vector<Combination>> CombinationsToSimulate() {
  std::vector<std::vector<Combination>> all;
  for (const Method& method : Methods()) {
    std::map<std::string, std::vector<Combination>> by_topology;
    for (const Combination& c : EveryCombination(std::string(method.name))) by_topology[c.topology].push_back(c);
    for (auto& [topology, combinations] : by_topology) all.push_back(std::move(combinations));
  }
  return all;
}

inline SimulatedFaults DrawFaults(Philox& random) {
  SimulatedFaults faults;
  const double often = std::ldexp(0.2, -static_cast<int>(random.Below(5)));  // from many to one of a hundred
  switch (random.Below(6)) {
    case 0: faults.drop = often; break;
    case 1: faults.repeat = often; break;
    case 2: faults.cut = often; break;
    case 3: faults.cut_mute = often; break;
    case 4: faults.flip = often; break;
    default: faults.drop = faults.repeat = faults.cut = faults.cut_mute = faults.flip = often / 5;
  }
  return faults;
}

/// One after another, seeds take every method and topology; all else is drawn.
inline SimulatedTrial TrialOf(uint64_t seed, const std::vector<std::vector<Combination>>& all) {
  Philox random(seed, Purpose::kSynthetic, 1u << 31);
  const auto& some = all[seed % all.size()];
  SimulatedTrial trial{seed, some[random.Below(static_cast<uint32_t>(some.size()))], random.Below(2) == 0};
  if (random.Below(8) == 0) trial.nan_round = random.Below(4);
  uint64_t round = 0;
  const uint32_t jobs = 1 + random.Below(3);
  for (uint32_t j = 0; j < jobs; ++j) {
    SimulatedJob job{1 + static_cast<int>(random.Below(4)), round, round + 1 + random.Below(3)};
    const uint32_t kind = random.Below(4);
    if (kind == 1) job.faults = DrawFaults(random);
    if (kind == 2 && job.ranks > 1)
      job.casualty = {static_cast<int>(random.Below(static_cast<uint32_t>(job.ranks))), random.Below(3) > 0,
                      random.Uniform() * 0.03};
    round = job.end;
    trial.jobs.push_back(job);
  }
  return trial;
}

}  // namespace gradwire::testing
