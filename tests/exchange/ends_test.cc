// SPDX-License-Identifier: Apache-2.0
// What every link keeps on every topology, with every operator that fits: replicas get the same bits; a receiver's
// shift is the mean of its senders' shifts; and a rank sends the bytes that the plan declares.
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/cost.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

constexpr int kWorkers = 3;
constexpr uint64_t kSteps = 12;
constexpr double kLr = 0.25;
const std::vector<Parameter> kParameters = {
    {"weight", {50, 31}}, {"bias", {50}}, {"small", {5, 5}}, {"other", {1200, 1}}};

/// What one rank has seen and holds in the end.
struct Trace {
  std::vector<std::vector<float>> results;        // by step and parameter
  std::vector<std::vector<float>> shifts, means;  // by parameter
  uint64_t sent = 0;
};

/// Which step rank 1 puts an infinity into the bucket of parameters 0, 1 and 2.
constexpr uint64_t kNever = kSteps;

Trace RunRank(const testing::Combination& combination, Collective& collective, uint64_t poisoned) {
  Exchange<float> exchange(collective, kParameters, MakeParts(combination.Config(), /*seed=*/5));
  DirectSink<float> sink(exchange);
  testing::Buckets<float> buckets(kParameters, {{3}, {2, 0, 1}});
  Trace trace;
  for (uint64_t step = 0; step < kSteps; ++step) {
    Philox random(/*seed=*/9, Purpose::kSynthetic, static_cast<uint64_t>(collective.rank()), step);
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (float& x : buckets.Of(p)) x = static_cast<float>(random.Uniform() - 0.3);
    if (step == poisoned && collective.rank() == 1) buckets.Of(0)[7] = std::numeric_limits<float>::infinity();
    buckets.Exchange(sink, {step, kLr});
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      trace.results.emplace_back(buckets.Of(p).begin(), buckets.Of(p).end());
  }
  for (uint32_t p = 0; p < kParameters.size(); ++p) {
    const auto copy = [&](const char* name) {
      const std::span<float> v = exchange.state().Vector(p, name);
      return std::vector<float>(v.begin(), v.end());
    };
    trace.shifts.push_back(copy("h")), trace.means.push_back(copy("mean h"));
  }
  trace.sent = exchange.stats().bytes_sent();
  return trace;
}

std::vector<Trace> TracesOf(const testing::Combination& combination, uint64_t poisoned = kNever) {
  std::vector<Trace> traces(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    traces[static_cast<size_t>(collective.rank())] = RunRank(combination, collective, poisoned);
  });
  return traces;
}

ExchangeParts PartsOf(const testing::Combination& combination) { return MakeParts(combination.Config(), /*seed=*/5); }

bool HasShift(const ExchangeParts& parts) { return parts.link.reference == Reference::kShift || parts.learner; }

/// Not where some rounds are dense, payloads are of any size, or the transport sums.
bool IsPlanned(const ExchangeParts& parts) {
  const auto varies = [](const auto& c) { return c && c->variable(); };
  return !parts.link.opens_dense && !parts.link.refresh && parts.link.gate == Gate::kOpen &&
         !varies(parts.compressor) && !varies(parts.down_compressor) && !varies(parts.learner) &&
         !FindTopology(parts.topology).sums;
}

/// Identity over an all-reduce does what DDP does: only the element itself is not finite.
bool HasFrames(const ExchangeParts& parts) {
  return parts.topology != "allreduce" || parts.compressor->spec() != "identity";
}

/// One method, with every operator, topology and way back.
class Ends : public ::testing::TestWithParam<std::string> {
 protected:
  template <typename Law>
  void Holds(bool (*wanted)(const ExchangeParts&), Law law) {
    for (const testing::Combination& c : testing::EveryCombination(GetParam())) {
      if (!wanted(PartsOf(c))) continue;
      SCOPED_TRACE(testing::NameOf(c));
      law(c);
      if (HasFatalFailure()) return;
    }
  }
};

TEST_P(Ends, ResultsAreTheSameBitsOnAllRanks) {
  Holds([](const ExchangeParts&) { return true; },
        [](const testing::Combination& c) {
          const auto traces = TracesOf(c);
          for (const Trace& trace : traces) ASSERT_EQ(trace.results, traces[0].results);
          for (const auto& result : traces[0].results)
            for (const float x : result) ASSERT_TRUE(std::isfinite(x));
        });
}

/// A receiver adds alpha times the mean of what its senders add alpha times each: equal but for rounding, which grows
/// by a unit a step.
void ExpectEqualShifts(const testing::Combination& combination, const std::vector<Trace>& traces) {
  const bool sharded = PartsOf(combination).topology == "sharded";
  for (uint32_t p = 0; p < kParameters.size(); ++p)
    for (int rank = 0; rank < kWorkers; ++rank) {
      if (sharded && static_cast<int>(p) % kWorkers != rank) continue;  // one piece each: its owner alone receives
      for (size_t i = 0; i < kParameters[p].numel(); ++i) {
        double mean = 0, size = 0;
        for (const Trace& trace : traces) mean += trace.shifts[p][i] / kWorkers, size += std::abs(trace.shifts[p][i]);
        ASSERT_NEAR(traces[static_cast<size_t>(rank)].means[p][i], mean, 1e-5 * (1 + size))
            << kParameters[p].name << " " << i;
      }
    }
}

TEST_P(Ends, AReceiversShiftIsTheMeanOfTheSenders) {
  Holds(HasShift, [](const testing::Combination& c) { ExpectEqualShifts(c, TracesOf(c)); });
}

TEST_P(Ends, APoisonedRoundLeavesShiftsEqual) {
  Holds(HasShift, [](const testing::Combination& c) {
    for (const uint64_t poisoned : {0, 5}) ExpectEqualShifts(c, TracesOf(c, poisoned));
  });
}

TEST_P(Ends, APoisonedBucketIsNanOnAllRanksForOneRound) {
  Holds(HasFrames, [](const testing::Combination& c) {
    for (const Trace& trace : TracesOf(c, /*poisoned=*/5))
      for (size_t i = 0; i < trace.results.size(); ++i) {
        const bool poisoned = i / kParameters.size() == 5 && i % kParameters.size() != 3;
        for (const float x : trace.results[i]) ASSERT_EQ(std::isnan(x), poisoned) << "step " << i / kParameters.size();
      }
  });
}

/// Two buckets a step, where SentBytes plans one: a frame more to every peer, each way.
TEST_P(Ends, PlannedBytesAreThoseThatWereSent) {
  Holds(IsPlanned, [](const testing::Combination& c) {
    const ExchangeParts parts = PartsOf(c);
    const uint64_t frames_more = (kWorkers - 1) * 80ull * (parts.topology == "sharded" ? 2 : 1);
    const auto traces = TracesOf(c);
    for (int rank = 0; rank < kWorkers; ++rank)
      ASSERT_EQ(traces[static_cast<size_t>(rank)].sent,
                kSteps * (SentBytes(parts, kParameters, kWorkers, rank) + frames_more));
  });
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const Method& method : Methods()) names.emplace_back(method.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(, Ends, ::testing::ValuesIn(MethodNames()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gradwire
