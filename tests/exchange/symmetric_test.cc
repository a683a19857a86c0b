// SPDX-License-Identifier: Apache-2.0
// A symmetric parameter travels as one piece of d (d + 1) / 2 elements, whatever comm.piece says.
#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.h"
#include "exchange/saved_memory.h"
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
constexpr size_t kDimension = 400, kNumel = kDimension * (kDimension + 1) / 2;  // more than a piece of 65,536

const std::vector<Parameter> kParameters = {{"vector", {5000}}, {"hessian", {kDimension, kDimension}, {}, true}};

/// What rank 0 has of the matrix after a step, where all ranks have the same bits.
std::vector<double> AfterAStep(const testing::Combination& combination, const std::string& piece) {
  CommConfig config = combination.Config();
  config.piece = piece;
  std::vector<std::vector<double>> results(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<double> exchange(collective, kParameters, MakeParts(config, /*seed=*/1));
    DirectSink<double> sink(exchange);
    testing::Buckets<double> buckets(kParameters, testing::OneBucket(kParameters));
    Philox random(4, Purpose::kSynthetic, static_cast<uint64_t>(collective.rank()), 0);
    for (double& x : buckets.At(0).values) x = random.Uniform() - 0.5;
    buckets.Exchange(sink, {0, 0.25});
    const std::span<double> matrix = buckets.Of(1);
    results[static_cast<size_t>(collective.rank())].assign(matrix.begin(), matrix.end());
  });
  for (const std::vector<double>& result : results) EXPECT_EQ(result, results[0]) << combination << " " << piece;
  return results[0];
}

size_t NonZero(const std::vector<double>& values) {
  return values.size() - static_cast<size_t>(std::ranges::count(values, 0.0));
}

TEST(SymmetricParameter, IsOnePieceOnEveryTopology) {
  for (const char* topology : {"allgather", "sharded"})
    for (const char* piece : {"fixed", "tensor", "matrix"}) {
      const std::vector<double> kept = AfterAStep({"ef", "topk:1", topology}, piece);
      EXPECT_EQ(kept.size(), kNumel);
      EXPECT_LE(NonZero(kept), static_cast<size_t>(kWorkers)) << "one element a rank, of the whole matrix";
      EXPECT_GE(NonZero(kept), 1u);
    }
}

TEST(SymmetricParameter, ThatIsNoSquareIsRefused) {
  testing::RunRanks(1, [](Collective& collective) {
    try {
      Exchange<float>(collective, {{"hessian", {3, 4}, {}, true}},
                      MakeParts(testing::Combination{"ef", "sign"}.Config(), 1));
      ADD_FAILURE() << "nothing thrown";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("parameter hessian: [3, 4], symmetric; expected a square matrix"));
    }
  });
}

TEST(SymmetricParameter, TakesNoOtherOrder) {
  testing::RunRanks(1, [](Collective& collective) {
    Exchange<float> exchange(collective, {{"hessian", {4, 4}, {}, true}},
                             MakeParts(testing::Combination{"ef", "sign"}.Config(), 1));
    EXPECT_THROW(exchange.Arrange({{1, 0}}), Error);
  });
}

/// rank:R, and what counts in orders, see the shape of a symmetric parameter whatever comm.piece is, and need some
/// shape to see.
TEST(SymmetricParameter, IsAMatrixForOperatorsThatSeeShapes) {
  for (const char* spec :
       {"rank:1", "topk:2d", "then(topk:2d,sign)", "scaled(randk:1d:unscaled,0.5)", "rotate(topk:1d)"})
    testing::RunRanks(1, [&](Collective& collective) {
      const ExchangeParts parts = MakeParts({.method = "dcgd", .compressor = spec}, 1);
      const Exchange<double> fits(collective, kParameters, parts);
      try {
        Exchange<double>(collective, {{"weight", {60, 60}}}, parts);
        ADD_FAILURE() << spec << ": nothing thrown";
      } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), HasSubstr(" acts on matrices, and this shows it none"));
      }
    });
}

std::string SettingsWith(bool symmetric) {
  std::string text;
  testing::RunRanks(1, [&](Collective& collective) {
    Exchange<float> exchange(collective, {{"hessian", {60, 60}, {}, symmetric}},
                             MakeParts(testing::Combination{"ef", "sign"}.Config(), 1));
    text = MemorySettings(exchange);
  });
  return text;
}

TEST(SymmetricParameter, MemoryIsOfNoOtherMatrix) {
  EXPECT_THAT(
      MemoryDifference(SettingsWith(true), SettingsWith(false)),
      HasSubstr("parameter hessian: saved with [60, 60], symmetric, compressed, this one has [60, 60], compressed"));
}

}  // namespace
}  // namespace gradwire
