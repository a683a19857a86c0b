// SPDX-License-Identifier: Apache-2.0
// What a step may leave behind in the links' memory: nothing where any rank was poisoned and the step shall be undone;
// and nothing for a parameter that was not used.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "exchange/saved_memory.h"
#include "gradwire/abilities.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

constexpr int kWorkers = 3;
constexpr uint32_t kFirst = 0, kLast = 1;
const std::vector<Parameter> kParameters = {{"first", {70000, 1}}, {"last", {60, 50}}};

using Memory = std::map<std::string, std::vector<float>>;

Memory MemoryOf(Exchange<float>& exchange) {
  Memory memory;
  const auto copy = [&](const char* way, StateStore<float>& store) {
    store.ForEach([&](uint32_t parameter, std::string_view name, std::span<const float> values) {
      if (std::ranges::any_of(values, [](float x) { return x != 0; }))
        memory[way + std::to_string(parameter) + std::string(name)] = {values.begin(), values.end()};
    });
  };
  copy("up ", exchange.state());
  copy("down ", exchange.down_state());
  return memory;
}

/// One rank's gradients, random in every step.
class Rank {
 public:
  Rank(Collective& collective, const ExchangeParts& parts)
      : rank_(collective.rank()),
        exchange_(collective, kParameters, parts),
        sink_(exchange_),
        buckets_(kParameters, testing::OneEach(kParameters)) {}

  void Step(uint64_t step, bool poison = false, bool zero_last = false) {
    Philox random(step, Purpose::kSynthetic, static_cast<uint64_t>(rank_));
    for (const uint32_t p : {kFirst, kLast})
      for (float& x : buckets_.Of(p)) x = static_cast<float>(random.Uniform() - 0.5);
    if (poison && rank_ == 1) buckets_.Of(kLast)[7] = std::numeric_limits<float>::infinity();
    if (zero_last) std::ranges::fill(buckets_.Of(kLast), 0.0f);
    buckets_.Exchange(sink_, {step, 0.1});
  }

  Exchange<float>& exchange() { return exchange_; }
  Memory memory() { return MemoryOf(exchange_); }
  std::span<float> residual(uint32_t parameter) { return exchange_.state().Vector(parameter, "e"); }

 private:
  int rank_;
  Exchange<float> exchange_;
  DirectSink<float> sink_;
  testing::Buckets<float> buckets_;
};

/// Every method on every topology with every way back; one operator each, since the memory is the links'.
std::vector<testing::Combination> EveryMethod() {
  std::vector<testing::Combination> all;
  std::set<std::string> seen;
  for (const Method& method : Methods()) {
    if (!Missing(method, {.same_batch = true}).empty()) continue;
    for (const testing::Combination& c : testing::EveryCombination(std::string(method.name)))
      if (seen.insert(c.method + " " + c.topology + " " + c.down).second) all.push_back(c);
  }
  return all;
}

class Undo : public ::testing::TestWithParam<testing::Combination> {};

TEST_P(Undo, OneRanksInfinityLeavesEveryMemoryOfEveryRankAsItWas) {
  ExchangeParts parts = MakeParts(GetParam().Config(), /*seed=*/1);
  parts.poison_undoes_step = true;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Rank rank(collective, parts);
    for (uint64_t step = 0; step < 3; ++step) rank.Step(step);
    const Memory before = rank.memory();
    for (uint64_t step = 3; step < 5; ++step) {
      rank.Step(step, /*poison=*/true);  // in the last bucket: the first one has moved its memory by then
      EXPECT_TRUE(rank.memory() == before) << "rank " << collective.rank() << ", step " << step;
    }
    for (uint64_t step = 5; step < 20; ++step) rank.Step(step);  // some operators send nothing in most steps
    EXPECT_EQ(rank.memory() == before, before.empty()) << "clean steps move the memory again";
  });
}

TEST_P(Undo, WhatIsLoadedAfterAPoisonedStepStays) {
  ExchangeParts parts = MakeParts(GetParam().Config(), /*seed=*/1);
  parts.poison_undoes_step = true;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Rank rank(collective, parts), other(collective, parts);
    for (uint64_t step = 0; step < 3; ++step) rank.Step(step), other.Step(step);
    const auto saved = SaveMemory(rank.exchange());
    for (uint64_t step = 3; step < 6; ++step) rank.Step(step);
    rank.Step(6, /*poison=*/true);
    LoadMemory(rank.exchange(), saved);
    rank.Step(7, /*poison=*/true);
    for (uint64_t step = 8; step < 11; ++step) rank.Step(step), other.Step(step);
    EXPECT_TRUE(rank.memory() == other.memory()) << "rank " << collective.rank();
  });
}

INSTANTIATE_TEST_SUITE_P(, Undo, ::testing::ValuesIn(EveryMethod()),
                         [](const auto& info) { return testing::NameOf(info.param); });

class Unused : public ::testing::TestWithParam<testing::Combination> {};

TEST_P(Unused, ParameterKeepsItsResidual) {
  ExchangeParts parts = MakeParts(GetParam().Config(), /*seed=*/1);
  parts.zeros_keep_memory = true;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Rank rank(collective, parts);
    for (uint64_t step = 0; step < 3; ++step) rank.Step(step);
    const std::vector<float> first(rank.residual(kFirst).begin(), rank.residual(kFirst).end());
    const std::vector<float> last(rank.residual(kLast).begin(), rank.residual(kLast).end());
    for (uint64_t step = 3; step < 6; ++step) rank.Step(step, /*poison=*/false, /*zero_last=*/true);
    EXPECT_TRUE(std::ranges::equal(rank.residual(kLast), last));
    EXPECT_FALSE(std::ranges::equal(rank.residual(kFirst), first));
  });
}

INSTANTIATE_TEST_SUITE_P(, Unused,
                         ::testing::Values(testing::Combination{"ef", "topk:1%"},
                                           testing::Combination{"ef", "sign", "sharded", "ef"},
                                           testing::Combination{"econtrol", "topk:1%"}),
                         [](const auto& info) { return testing::NameOf(info.param); });

}  // namespace
}  // namespace gradwire
