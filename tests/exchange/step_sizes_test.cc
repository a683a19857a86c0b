// SPDX-License-Identifier: Apache-2.0
// Step sizes inside the link: each parameter's own, at 0 nothing is delivered and nothing lost, and ranks that disagree
// notice it.
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

constexpr int kWorkers = 3;
constexpr uint64_t kSteps = 8;
const std::vector<Parameter> kParameters = {{"a", {40, 31}}, {"b", {1100, 1}}};

/// The rate of a parameter in a step.
using Schedule = std::function<double(uint64_t step, uint32_t parameter)>;

double TwoGroups(uint64_t step, uint32_t parameter) { return parameter == 0 ? (step < 4 ? 0.5 : 0.05) : 0.03; }
double WithZeros(uint64_t step, uint32_t) { return step % 3 == 0 ? 0 : 0.25; }
double WithoutZeros(uint64_t, uint32_t) { return 0.25; }

const std::vector<testing::Combination>& Combinations() {
  static const std::vector<testing::Combination> all = {{"ec", "topk:5%"},
                                                        {"ec", "sign", "sharded", "raw"},
                                                        {"ec_diana", "topk:5%"},
                                                        {"dore", "terngrad"},
                                                        {"dcgd", "terngrad", "sharded", "dore"}};
  return all;
}

struct Trace {
  std::vector<std::vector<double>> gradients, results;  // of this rank by step and parameter, and of all ranks
  std::vector<std::vector<float>> e, h;                 // by parameter, at the end
  std::vector<double> down_e;                           // squared norm by step
  uint64_t sent = 0;
};

Trace RunRank(Collective& collective, const ExchangeParts& parts, const Schedule& schedule) {
  Exchange<float> exchange(collective, kParameters, parts);
  DirectSink<float> sink(exchange);
  testing::Buckets<float> buckets(kParameters, testing::OneBucket(kParameters));
  const std::vector<float> point(buckets.At(0).values.size(), 0.5f);
  Trace trace;
  for (uint64_t step = 0; step < kSteps; ++step) {
    Philox random(/*seed=*/9, Purpose::kSynthetic, static_cast<uint64_t>(collective.rank()), step);
    std::vector<double> lrs;
    for (uint32_t p = 0; p < kParameters.size(); ++p) {
      lrs.push_back(schedule(step, p));
      for (float& x : buckets.Of(p)) x = static_cast<float>(random.Uniform() - 0.3);
      trace.gradients.emplace_back(buckets.Of(p).begin(), buckets.Of(p).end());
    }
    Round round(step, std::numeric_limits<double>::quiet_NaN());  // to be asked by nobody
    round.lrs = std::make_shared<const std::vector<double>>(lrs);
    Bucket<float> bucket = buckets.At(0);
    bucket.point = point;
    PushAndWait<float>(sink, round, bucket);
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      trace.results.emplace_back(buckets.Of(p).begin(), buckets.Of(p).end());
    trace.down_e.push_back(exchange.down_state().SquaredNorm("e"));
  }
  for (uint32_t p = 0; p < kParameters.size(); ++p)
    for (auto& [name, vectors] : {std::pair{"e", &trace.e}, {"h", &trace.h}}) {
      const auto v = exchange.state().Vector(p, name);
      vectors->emplace_back(v.begin(), v.end());
    }
  trace.sent = exchange.stats().bytes_sent();
  return trace;
}

std::vector<Trace> TracesOf(const ExchangeParts& parts, const Schedule& schedule) {
  std::vector<Trace> traces(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    traces[static_cast<size_t>(collective.rank())] = RunRank(collective, parts, schedule);
  });
  return traces;
}

ExchangeParts PartsOf(const testing::Combination& combination) { return MakeParts(combination.Config(), /*seed=*/5); }

TEST(StepSizes, AParameterIsDeliveredAsIfAllHadItsRate) {
  std::vector<std::pair<std::string, ExchangeParts>> ways;
  for (const testing::Combination& c : Combinations()) ways.emplace_back(testing::NameOf(c), PartsOf(c));
  for (const char* topology : {"allgather", "sharded", "allreduce"}) {
    ExchangeParts parts = PartsOf({"dcgd", "identity", topology});
    parts.prox = {Prox::Kind::kL2, 0.1};
    ways.emplace_back(std::string("prox, ") + topology, parts);
  }
  for (const auto& [name, parts] : ways) {
    const Trace mixed = TracesOf(parts, TwoGroups)[0];
    for (uint32_t p = 0; p < 2; ++p) {
      const Trace own = TracesOf(parts, [p](uint64_t step, uint32_t) { return TwoGroups(step, p); })[0];
      for (uint64_t step = 0; step < kSteps; ++step)
        ASSERT_EQ(mixed.results[2 * step + p], own.results[2 * step + p]) << name << ", parameter " << p;
      EXPECT_EQ(mixed.e[p], own.e[p]) << name;
    }
    const Trace other = TracesOf(parts, [](uint64_t step, uint32_t) { return TwoGroups(step, 0); })[0];
    EXPECT_TRUE(mixed.results != other.results) << name << ": the rate shows in nothing";  // in some step, by memory
  }
}

TEST(StepSizes, AtZeroNothingIsDeliveredAndTheBytesAreAsEver) {
  for (const testing::Combination& c : Combinations()) {
    SCOPED_TRACE(testing::NameOf(c));
    const auto with = TracesOf(PartsOf(c), WithZeros), without = TracesOf(PartsOf(c), WithoutZeros);
    for (uint64_t step = 0; step < kSteps; ++step)
      for (uint32_t p = 0; p < 2; ++p)
        for (const double x : with[0].results[2 * step + p])
          ASSERT_TRUE(WithZeros(step, p) == 0 ? x == 0 : std::isfinite(x)) << "step " << step;
    EXPECT_EQ(with[0].sent, without[0].sent);
    // A shift learns from v, whatever becomes of the step.
    for (int rank = 0; rank < kWorkers; ++rank)
      EXPECT_EQ(with[static_cast<size_t>(rank)].h, without[static_cast<size_t>(rank)].h);
    for (const Trace& trace : with)
      for (uint64_t step = 3; step < kSteps; step += 3)
        EXPECT_EQ(trace.down_e[step], trace.down_e[step - 1]) << "the way back keeps what it owes";
  }
}

/// Sum over ranks and steps of s v = n times the sum of s times the result + the sum of the memory.
TEST(StepSizes, NothingIsLostThroughStepsOfSizeZero) {
  const auto traces = TracesOf(PartsOf({"ec", "topk:5%"}), WithZeros);
  for (uint32_t p = 0; p < 2; ++p)
    for (size_t i = 0; i < kParameters[p].numel(); ++i) {
      double owed = 0;
      for (uint64_t step = 0; step < kSteps; ++step) {
        const double s = WithZeros(step, p);
        for (const Trace& trace : traces) owed += s * trace.gradients[2 * step + p][i];
        owed -= kWorkers * s * traces[0].results[2 * step + p][i];
      }
      for (const Trace& trace : traces) owed -= trace.e[p][i];
      ASSERT_NEAR(owed, 0, 1e-5) << "kept " << traces[0].e[p][i];
    }
}

TEST(StepSizes, ARegularisersStepOfSizeZeroIsNone) {
  for (const char* topology : {"allgather", "sharded", "allreduce"}) {
    ExchangeParts parts = PartsOf({"dcgd", "identity", topology});
    parts.prox = {Prox::Kind::kL2, 0.1};
    const Trace trace = TracesOf(parts, WithZeros)[0];
    for (uint64_t step = 0; step < kSteps; ++step)
      for (const double x : trace.results[2 * step])
        ASSERT_TRUE(WithZeros(step, 0) == 0 ? x == 0 : std::isfinite(x) && x != 0) << topology << ", step " << step;
  }
}

TEST(StepSizes, OneWhoseInverseIsInfiniteCountsAsZero) {
  const auto tiny = [](uint64_t, uint32_t) { return 1e-40; };  // 1e40 is no float
  const auto traces = TracesOf(PartsOf({"ec", "topk:5%"}), tiny);
  for (const auto& result : traces[0].results)
    for (const double x : result) ASSERT_EQ(x, 0);
}

TEST(StepSizes, NegativeAndNonFiniteOnesAreRefused) {
  for (const double lr : {-0.1, std::numeric_limits<double>::infinity(), std::nan("")})
    for (const testing::Combination& c : Combinations()) {
      try {
        TracesOf(PartsOf(c), [lr](uint64_t, uint32_t) { return lr; });
        FAIL() << testing::NameOf(c) << " takes " << lr;
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("step size (learning rate): found"));
      }
    }
}

/// What a rank says when rank 1 has another rate of the second parameter in step 2; empty where nothing.
std::vector<std::string> Complaints(const testing::Combination& combination, bool rank_1_is_idle) {
  std::vector<std::string> complaints(kWorkers);
  ExchangeParts parts = PartsOf(combination);
  parts.zeros_keep_memory = true;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, parts);
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(kParameters, testing::OneBucket(kParameters));
    const auto rank = static_cast<size_t>(collective.rank());
    try {
      for (uint64_t step = 0; step < 3; ++step) {
        for (uint32_t p = 0; p < 2; ++p)
          for (size_t i = 0; i < buckets.Of(p).size(); ++i)
            buckets.Of(p)[i] = rank == 1 && rank_1_is_idle ? 0.0f : static_cast<float>(i % 17) - 5;
        Round round(step);
        round.lrs =
            std::make_shared<const std::vector<double>>(std::vector<double>{0.5, rank == 1 && step == 2 ? 0.0 : 0.25});
        buckets.Exchange(sink, round);
      }
    } catch (const PeerError& error) {
      complaints[rank] = error.what();
    }
  });
  return complaints;
}

TEST(StepSizes, RanksThatDisagreeAreRefused) {
  for (const testing::Combination& c : Combinations()) {
    int refused = 0;
    for (const std::string& complaint : Complaints(c, /*rank_1_is_idle=*/false))
      refused += complaint.find("the ranks' step sizes differ") != std::string::npos;
    EXPECT_GT(refused, 0) << testing::NameOf(c);
  }
}

TEST(StepSizes, ARankWithNothingToSayMayHaveAnyWhereNobodyOwnsThem) {  // it has joined, and its schedule stands still
  for (const std::string& complaint : Complaints({"ec", "topk:5%"}, /*rank_1_is_idle=*/true)) EXPECT_EQ(complaint, "");
}

}  // namespace
}  // namespace gradwire
