// SPDX-License-Identifier: Apache-2.0
// `gradwire_simulate COUNT [FIRST]`: simulated jobs of COUNT seeds from FIRST on (0). Says which ones broke a law, and
// how to run one of them again.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/simulated_laws.h"

namespace {

void Say(const std::string& line) { std::puts(line.c_str()); }

}  // namespace

int main(int argc, char** argv) {
  using namespace gradwire::testing;
  const uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 300;
  const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  constexpr size_t kMostShown = 10;
  const auto combinations = CombinationsToSimulate();
  SimulatedTally tally;
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t seed = first; seed < first + count && tally.violations.size() < kMostShown; ++seed) {
    const size_t before = tally.violations.size();
    Simulate(TrialOf(seed, combinations), tally);
    for (size_t i = before; i < tally.violations.size(); ++i) Say(tally.violations[i]);
    if (tally.violations.size() > before) Say(fmt::format("  again: {} 1 {}", argv[0], seed));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  Say(fmt::format("{} seeds from {} on, of {} pairs of a method and a topology: {:.0f} seeds a second", count, first,
                  combinations.size(), static_cast<double>(count) / took.count()));
  Say(fmt::format("{} jobs: {} came to their end ({} rounds), {} with an error; {} faults; {} laws broken", tally.jobs,
                  tally.whole, tally.rounds, tally.failed, tally.faults, tally.violations.size()));
  return tally.violations.empty() ? 0 : 1;
}
