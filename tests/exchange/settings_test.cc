// SPDX-License-Identifier: Apache-2.0
// What the settings of an exchange mean, and that ranks which disagree about them never start.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kWorkers = 3;

float Gradient(int rank, uint32_t parameter, size_t i) {
  return 0.1f * static_cast<float>((rank + 1) * (parameter + 2)) - 0.003f * static_cast<float>((7 * i + 1) % 1001);
}

/// The mean as every exact path computes it: each term times 1/n, summed in rank order.
float Mean(uint32_t parameter, size_t i) {
  float sum = 0;
  for (int rank = 0; rank < kWorkers; ++rank) sum += static_cast<float>(1.0 / kWorkers) * Gradient(rank, parameter, i);
  return sum;
}

/// Which parameters hold the exact mean after each step, on every rank: exact[step][parameter].
using Exact = std::vector<std::vector<bool>>;

Exact ExactMeans(const CommConfig& config, const std::vector<Parameter>& parameters, uint64_t steps) {
  std::vector<Exact> of_rank(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<float> exchange(collective, parameters, MakeParts(config, /*seed=*/1));
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(parameters, testing::OneBucket(parameters));
    for (uint64_t step = 0; step < steps; ++step) {
      for (uint32_t p = 0; p < parameters.size(); ++p)
        for (size_t i = 0; i < parameters[p].numel(); ++i) buckets.Of(p)[i] = Gradient(collective.rank(), p, i);
      buckets.Exchange(sink, step);
      std::vector<bool> exact(parameters.size(), true);
      for (uint32_t p = 0; p < parameters.size(); ++p)
        for (size_t i = 0; i < parameters[p].numel(); ++i) exact[p] = exact[p] && buckets.Of(p)[i] == Mean(p, i);
      of_rank[static_cast<size_t>(collective.rank())].push_back(exact);
    }
  });
  for (const Exact& exact : of_rank) EXPECT_EQ(exact, of_rank[0]);
  return of_rank[0];
}

TEST(Settings, StepsBeforeStartIterAreDense) {
  CommConfig config = testing::Combination{"ef", "sign"}.Config();
  config.start_iter = 2;
  EXPECT_EQ(ExactMeans(config, {{"weight", {50, 40}}}, 4), (Exact{{true}, {true}, {false}, {false}}));
}

TEST(Settings, SmallAndOneDimensionalParametersTravelExactly) {
  const std::vector<Parameter> parameters = {
      {"bias", {3000}}, {"1023 elements", {33, 31}}, {"1024 elements", {32, 32}}, {"large", {50, 40}}, {"scalar", {}}};
  CommConfig config = testing::Combination{"ef", "sign"}.Config();
  EXPECT_EQ(ExactMeans(config, parameters, 1), (Exact{{true, true, false, false, true}}));
  config.compress_1d = true;
  EXPECT_EQ(ExactMeans(config, parameters, 1), (Exact{{false, true, false, false, true}}));
  config.min_compress_numel = 0;
  EXPECT_EQ(ExactMeans(config, {{"bias", {3000}}, {"small", {3, 3}}}, 1), (Exact{{false, false}}));
}

TEST(Settings, IdentityIsExactOnBothTopologies) {
  for (const char* topology : {"allgather", "allreduce"}) {
    CommConfig config = testing::Combination{"dcgd", "identity"}.Config();
    config.topology = topology;
    EXPECT_EQ(ExactMeans(config, {{"weight", {50, 40}}, {"bias", {7}}}, 1), (Exact{{true, true}})) << topology;
  }
}

/// One rank's idea of the job.
struct Idea {
  CommConfig config = testing::Combination{"ef", "sign"}.Config();
  std::vector<Parameter> parameters = {{"weight", {50, 40}}, {"bias", {50}}};
  uint64_t seed = 1;
  bool doubles = false;

  void Join(Collective& collective) const {
    if (doubles)
      Exchange<double>(collective, parameters, MakeParts(config, seed));
    else
      Exchange<float>(collective, parameters, MakeParts(config, seed));
  }
};

/// What each rank's constructor throws where rank `odd` has another idea than the rest.
std::vector<std::string> Refusals(const Idea& usual, const Idea& other, int odd) {
  std::vector<std::string> refusals(kWorkers, "nothing thrown");
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    try {
      (collective.rank() == odd ? other : usual).Join(collective);
    } catch (const ConfigError& error) {
      refusals[static_cast<size_t>(collective.rank())] = error.what();
    }
  });
  return refusals;
}

void ExpectRefusal(const std::string& line, const std::string& usual, const std::string& other,
                   const std::function<void(Idea&)>& change) {
  Idea changed;
  change(changed);
  for (const std::string& what : Refusals({}, changed, /*odd=*/2))
    EXPECT_THAT(what, AllOf(HasSubstr("rank 2"), HasSubstr("rank 0: " + line + usual + "\n"),
                            HasSubstr("there:  " + line + other)));
  for (const std::string& what : Refusals({}, changed, /*odd=*/0))
    EXPECT_THAT(what, AllOf(HasSubstr("rank 0: " + line + other), HasSubstr("there:  " + line + usual)));
}

TEST(Settings, ThatDifferAreNamedOnEveryRank) {
  ExpectRefusal("link: ", "ef", "raw", [](Idea& idea) { idea.config.method = "dcgd"; });
  ExpectRefusal("compressor: ", "sign", "topk:5", [](Idea& idea) { idea.config.compressor = "topk:5"; });
  ExpectRefusal("aggregate: ", "mean", "median", [](Idea& idea) { idea.config.aggregate = "median"; });
  ExpectRefusal("piece: ", "fixed", "tensor", [](Idea& idea) { idea.config.piece = "tensor"; });
  ExpectRefusal("min_compress_numel: ", "1024", "9", [](Idea& idea) { idea.config.min_compress_numel = 9; });
  ExpectRefusal("compress_1d: ", "false", "true", [](Idea& idea) { idea.config.compress_1d = true; });
  ExpectRefusal("start_iter: ", "0", "10", [](Idea& idea) { idea.config.start_iter = 10; });
  ExpectRefusal("seed: ", "1", "2", [](Idea& idea) { idea.seed = 2; });
  ExpectRefusal("dtype: ", "float32", "float64", [](Idea& idea) { idea.doubles = true; });
}

TEST(Settings, ParametersThatDifferAreNamedOnEveryRank) {
  ExpectRefusal("parameter ", "bias: [50]", "beta: [50]", [](Idea& idea) { idea.parameters[1].name = "beta"; });
  ExpectRefusal("parameter ", "bias: [50]", "bias: [51]", [](Idea& idea) { idea.parameters[1].shape = {51}; });
  ExpectRefusal("parameter weight: ", "[50, 40]", "[40, 50]", [](Idea& idea) { idea.parameters[0].shape = {40, 50}; });
  ExpectRefusal("", "parameter bias: [50]", "(nothing)", [](Idea& idea) { idea.parameters.pop_back(); });
  ExpectRefusal("parameter ", "weight: [50, 40]", "bias: [50]",
                [](Idea& idea) { std::swap(idea.parameters[0], idea.parameters[1]); });
}

TEST(Settings, ASymmetricMatrixIsNoSquareOne) {
  Idea square, symmetric;
  square.parameters[0].shape = symmetric.parameters[0].shape = {50, 50};
  symmetric.parameters[0].symmetric = true;
  for (const std::string& what : Refusals(square, symmetric, /*odd=*/2))
    EXPECT_THAT(what, AllOf(HasSubstr("rank 0: parameter weight: [50, 50]\n"),
                            HasSubstr("there:  parameter weight: [50, 50], symmetric")));
}

/// What Start says of a bucket with these segments and `numel` values; parameters have 2000 and 50 elements.
std::string Complaint(const std::vector<Segment>& segments, size_t numel) {
  std::string complaint = "nothing thrown";
  testing::RunRanks(1, [&](Collective& collective) {
    const Idea idea;
    Exchange<float> exchange(collective, idea.parameters, MakeParts(idea.config, idea.seed));
    std::vector<float> values(numel);
    try {
      exchange.Start(0, {0, segments, values});
    } catch (const Error& error) {
      complaint = error.what();
    }
  });
  return complaint;
}

TEST(Settings, BucketsMustHoldWholeParametersWithoutGaps) {
  EXPECT_THAT(Complaint({{1, 0, 50}, {0, 50, 2000}}, 2050), HasSubstr("nothing thrown"));
  EXPECT_THAT(Complaint({{2, 0, 50}}, 50), HasSubstr("parameter 2 of 2"));
  EXPECT_THAT(Complaint({{1, 0, 49}}, 49), HasSubstr("bias has 49 elements at offset 0, expected all 50"));
  EXPECT_THAT(Complaint({{0, 0, 2000}, {1, 2001, 50}}, 2051),
              HasSubstr("bias has 50 elements at offset 2001, expected all 50 at offset 2000"));
  EXPECT_THAT(Complaint({{0, 50, 2000}, {1, 0, 50}}, 2050), HasSubstr("weight has 2000 elements at offset 50"));
  EXPECT_THAT(Complaint({{0, 0, 2000}}, 2001), HasSubstr("2001 elements, its segments have 2000"));
}

TEST(Settings, OnlyABucketUnderWayCanBeFinished) {
  testing::RunRanks(1, [](Collective& collective) {
    const Idea idea;
    Exchange<float> exchange(collective, idea.parameters, MakeParts(idea.config, idea.seed));
    testing::Buckets<float> buckets(idea.parameters, testing::OneBucket(idea.parameters));
    const auto id = exchange.Start(0, buckets.At(0));
    exchange.Finish(id);
    EXPECT_THROW(exchange.Finish(id), Error);
  });
}

}  // namespace
}  // namespace gradwire
