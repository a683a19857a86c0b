// SPDX-License-Identifier: Apache-2.0
// comm.aggregate through the exchange: what ranks deliver is the rule's of the vectors that they decode, on every
// topology that has them apart, and what it remembers is memory as all memory is.
#include <limits>
#include <string>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exchange/saved_memory.h"
#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "support/aggregates.h"
#include "support/buckets.h"
#include "support/convex.h"

namespace gradwire {
namespace {

constexpr int kRanks = 5;
constexpr uint64_t kSeed = 3;                                                        // of testing::CombineAll
const std::vector<Parameter> kParameters = {{"large", {70000, 1}}, {"small", {7}}};  // two pieces, and a dense one

CommConfig Config(const std::string& aggregate, const char* topology = "auto", const char* method = "none") {
  CommConfig comm = testing::Comm(method, method == std::string("none") ? "identity" : "topk:10%");
  comm.aggregate = aggregate, comm.topology = topology, comm.min_compress_numel = 30;
  return comm;
}

template <typename T>
void Fill(testing::Buckets<T>& buckets, uint64_t step, int rank) {
  for (uint32_t p = 0; p < kParameters.size(); ++p) {
    Philox random(step, Purpose::kSynthetic, static_cast<uint64_t>(rank), p);
    for (T& x : buckets.Of(p)) x = static_cast<T>(random.Uniform() - 0.5);
  }
}

class Delivered : public ::testing::TestWithParam<std::tuple<std::string, const char*>> {};

/// Of plain gradients, whose decoded vectors are known here.
TEST_P(Delivered, IsTheRuleOfEachPiece) {
  const auto& [text, topology] = GetParam();
  testing::RunRanks(kRanks, [&, text = text, topology = topology](Collective& collective) {
    const ExchangeParts parts = MakeParts(Config(text, topology), kSeed);
    Exchange<float> exchange(collective, kParameters, parts);
    DirectSink<float> sink(exchange);
    testing::Buckets<float> own(kParameters, testing::OneBucket(kParameters)), other = own;
    std::vector<std::vector<float>> centres = {std::vector<float>(kPieceNumel), std::vector<float>(70000 - kPieceNumel),
                                               std::vector<float>(7)};
    for (uint64_t step = 0; step < 2; ++step) {
      Fill(own, step, collective.rank());
      own.Exchange(sink, step);
      for (size_t i = 0; i < centres.size(); ++i) {
        const uint32_t p = i == 2;
        const auto piece = [&](testing::Buckets<float>& of) {
          const std::span<float> values = of.Of(p).subspan(i == 1 ? kPieceNumel : 0, centres[i].size());
          return std::vector<float>(values.begin(), values.end());
        };
        testing::Vectors<float> all;
        for (int rank = 0; rank < kRanks; ++rank) Fill(other, step, rank), all.push_back(piece(other));
        ASSERT_EQ(piece(own), testing::CombineAll(parts.aggregate, all, &centres[i], step)) << "step " << step;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Every, Delivered,
                         ::testing::Combine(::testing::ValuesIn(testing::AggregateTexts()),
                                            ::testing::Values("auto", "sharded")),
                         [](const auto& info) {
                           std::string name = std::get<0>(info.param) + "_" + std::get<1>(info.param);
                           std::ranges::replace_if(
                               name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
                           return name;
                         });

/// The centre of all parameters after some steps of one rank, of which the second may be poisoned.
std::vector<SavedVector<float>> CentreAfter(const char* topology, bool poison, uint64_t steps,
                                            std::vector<std::vector<SavedVector<float>>>* all = nullptr) {
  std::vector<std::vector<SavedVector<float>>> memory(kRanks);
  testing::RunRanks(kRanks, [&](Collective& collective) {
    ExchangeParts parts = MakeParts(Config("centred_clip:3", topology, "ef"), kSeed);
    parts.poison_undoes_step = true;
    Exchange<float> exchange(collective, kParameters, parts);
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(kParameters, testing::OneEach(kParameters));
    for (uint64_t step = 0; step < steps; ++step) {
      Fill(buckets, step, collective.rank());
      const bool poisoned = poison && step == 1;
      if (poisoned && collective.rank() == 1) buckets.Of(0)[9] = std::numeric_limits<float>::infinity();
      buckets.Exchange(sink, step);
      EXPECT_EQ(std::isnan(buckets.Of(0)[5]), poisoned) << "rank " << collective.rank();
    }
    memory[static_cast<size_t>(collective.rank())] = SaveMemory(exchange);
  });
  std::erase_if(memory[0], [](const SavedVector<float>& vector) { return vector.name != "centre"; });
  if (all != nullptr) *all = memory;
  return memory[0];
}

void ExpectSame(const std::vector<SavedVector<float>>& a, const std::vector<SavedVector<float>>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].values, b[i].values) << "parameter " << a[i].parameter;
}

TEST(Centre, OfAPoisonedStepIsTheOneBefore) {
  for (const char* topology : {"allgather", "sharded"}) {
    const auto one = CentreAfter(topology, false, 1), undone = CentreAfter(topology, true, 2);
    ASSERT_EQ(one.size(), kParameters.size()) << "of the parameter that travels dense as well";
    ExpectSame(one, undone);
    EXPECT_NE(one[0].values, CentreAfter(topology, false, 2)[0].values);
  }
}

/// Owners' pieces add up to what every rank has over allgather.
TEST(Centre, InAnotherWorldIsTheSame) {
  std::vector<std::vector<SavedVector<float>>> apart, owned;
  const auto whole = CentreAfter("allgather", false, 2, &apart);
  CentreAfter("sharded", false, 2, &owned);
  for (const auto& [ranks, topology] : {std::pair(apart, "allgather"), std::pair(owned, "sharded")}) {
    std::vector<std::vector<SavedVector<float>>> centres = ranks;
    for (auto& of_rank : centres)
      std::erase_if(of_rank, [](const SavedVector<float>& vector) { return vector.name != "centre"; });
    ExpectSame(Reshard(centres, topology), whole);
  }
}

TEST(Aggregate, OfTooFewRanksIsRefused) {
  testing::RunRanks(2, [](Collective& collective) {
    EXPECT_THROW(Exchange<float>(collective, kParameters, MakeParts(Config("trimmed:1"), kSeed)), ConfigError);
  });
}

}  // namespace
}  // namespace gradwire
