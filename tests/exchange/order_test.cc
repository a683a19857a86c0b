// SPDX-License-Identifier: Apache-2.0
// Memory belongs to a parameter's elements, in whichever order a bucket holds them.
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>
#include <numeric>
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

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kWorkers = 3;
const ElementOrder kRows = {}, kChannelsLast = {0, 2, 3, 1};

TEST(ElementOrder, IsThatOfTheStrides) {
  const auto order = [](std::vector<int64_t> shape, std::vector<int64_t> strides) { return OrderOf(shape, strides); };
  EXPECT_EQ(order({32, 16, 3, 3}, {144, 9, 3, 1}), kRows);
  EXPECT_EQ(order({32, 16, 3, 3}, {144, 1, 48, 16}), kChannelsLast);
  EXPECT_EQ(order({32, 16, 1, 1}, {16, 1, 16, 16}), kRows) << "1 x 1 filters lie alike in both";
  EXPECT_EQ(order({32, 1, 3, 3}, {9, 1, 3, 1}), kRows);
  EXPECT_EQ(order({5, 7}, {1, 5}), (ElementOrder{1, 0}));
  EXPECT_EQ(order({}, {}), kRows);
  EXPECT_EQ(TextOf(kChannelsLast), "channels last");
  EXPECT_EQ(TextOf({0, 2, 3, 4, 1}), "channels last");
  EXPECT_EQ(TextOf({1, 0}), "dimensions 1 0");
}

TEST(ElementOrder, ElementsKeepTheirIndicesWhenRearranged) {
  const std::vector<int64_t> shape = {2, 3, 1, 4};
  std::vector<double> rows(24), last(24), back(24);
  std::iota(rows.begin(), rows.end(), 0.0);
  Rearrange<double>(shape, kRows, rows, {0, 3, 1}, last);
  for (size_t n = 0; n < 2; ++n)
    for (size_t c = 0; c < 3; ++c)
      for (size_t w = 0; w < 4; ++w) EXPECT_EQ(last[n * 12 + w * 3 + c], rows[n * 12 + c * 4 + w]);
  Rearrange<double>(shape, {0, 3, 1}, last, kRows, back);
  EXPECT_EQ(back, rows);
}

/// One rank with one filter, whose gradients are given and taken row by row.
class Rank {
 public:
  Rank(Collective& collective, const ExchangeParts& parts, std::vector<int64_t> shape, const ElementOrder& order)
      : rank_(collective.rank()),
        parameters_{{"filter", std::move(shape), order}},
        order_(order),
        exchange_(collective, parameters_, parts),
        sink_(exchange_),
        buckets_(parameters_, testing::OneEach(parameters_)) {}

  void Arrange(const ElementOrder& order) {
    exchange_.Arrange({order});
    order_ = order;
  }

  std::vector<float> Gradient(uint64_t step) const {
    Philox random(step, Purpose::kSynthetic, static_cast<uint64_t>(rank_));
    std::vector<float> gradient(parameters_[0].numel());
    for (float& x : gradient) x = static_cast<float>(random.Uniform() - 0.5);
    return gradient;
  }

  std::vector<float> Step(uint64_t step) {
    std::vector<float> values = Gradient(step);
    Rearrange<float>(parameters_[0].shape, kRows, values, order_, buckets_.Of(0));
    buckets_.Exchange(sink_, {step, 0.1});
    Rearrange<float>(parameters_[0].shape, order_, buckets_.Of(0), kRows, values);
    return values;
  }

  Exchange<float>& exchange() { return exchange_; }

 private:
  const int rank_;
  const std::vector<Parameter> parameters_;
  ElementOrder order_;
  Exchange<float> exchange_;
  DirectSink<float> sink_;
  testing::Buckets<float> buckets_;
};

const std::vector<int64_t> kOnePiece = {16, 12, 3, 3}, kTwoPieces = {64, 128, 3, 3};

void ExpectSame(const std::vector<SavedVector<float>>& a, const std::vector<SavedVector<float>>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].values, b[i].values) << a[i].name;
}

class Order : public ::testing::TestWithParam<testing::Combination> {};

/// The operator takes the largest elements, whatever their order: with one piece nothing else depends on it.
TEST_P(Order, ChangesNoBitWhereTheOperatorDoesNotLookAtIt) {
  const ExchangeParts parts = MakeParts(GetParam().Config(), /*seed=*/1);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Rank rows(collective, parts, kOnePiece, kRows), turned(collective, parts, kOnePiece, kChannelsLast),
        loaded(collective, parts, kOnePiece, kChannelsLast);
    for (uint64_t step = 0; step < 9; ++step) {
      if (step == 3) turned.Arrange(kRows);
      if (step == 6) turned.Arrange({3, 2, 1, 0});
      if (step == 6) LoadMemory(loaded.exchange(), SaveMemory(rows.exchange()));
      const std::vector<float> expected = rows.Step(step);
      EXPECT_EQ(turned.Step(step), expected) << "step " << step;
      if (step >= 6) {
        EXPECT_EQ(loaded.Step(step), expected) << "step " << step;
      }
      ExpectSame(SaveMemory(turned.exchange()), SaveMemory(rows.exchange()));
    }
    ExpectSame(SaveMemory(loaded.exchange()), SaveMemory(rows.exchange()));
  });
}

INSTANTIATE_TEST_SUITE_P(, Order,
                         ::testing::Values(testing::Combination{"ef", "topk:2%"},
                                           testing::Combination{"ef21", "topk:2%"},
                                           testing::Combination{"econtrol", "topk:2%"},
                                           testing::Combination{"clag", "topk:2%"},
                                           testing::Combination{"ef", "topk:2%", "sharded", "ef"}),
                         [](const auto& info) { return testing::NameOf(info.param); });

/// n times what came out, what each sender keeps, and n times what each owner keeps, are what went in.
TEST(Arrange, OwnersOfPiecesHandOverWhatTheyKeep) {
  const ExchangeParts parts = MakeParts(testing::Combination{"ef", "topk:1%", "sharded", "ef"}.Config(), /*seed=*/1);
  std::vector<double> balance(73728), kept(73728);
  std::mutex mutex;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Rank rank(collective, parts, kTwoPieces, kRows);
    std::vector<double> mine(balance.size()), owned(balance.size());
    for (uint64_t step = 0; step < 6; ++step) {
      if (step == 3) rank.Arrange(kChannelsLast);
      const std::vector<float> in = rank.Gradient(step), out = rank.Step(step);
      for (size_t i = 0; i < mine.size(); ++i) mine[i] += static_cast<double>(in[i]) - static_cast<double>(out[i]);
    }
    const std::span<float> lies = rank.exchange().down_state().Vector(0, "e");
    for (size_t i = 0; i < lies.size(); ++i)
      ASSERT_TRUE(lies[i] == 0 || static_cast<int>(i / kPieceNumel) == collective.rank())
          << "rank " << collective.rank() << " keeps element " << i << " of another owner, who would never send it";
    for (const SavedVector<float>& v : SaveMemory(rank.exchange()))
      for (size_t i = 0; i < mine.size(); ++i) {
        mine[i] -= (v.down ? kWorkers : 1) * static_cast<double>(v.values[i]);
        if (v.down) owned[i] += std::abs(v.values[i]);
      }
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < mine.size(); ++i) balance[i] += mine[i], kept[i] += owned[i];
  });
  for (size_t i = 0; i < balance.size(); ++i) ASSERT_NEAR(balance[i], 0, 1e-5) << i;  // 100 roundings of up to 1
  EXPECT_GT(std::accumulate(kept.begin(), kept.end(), 0.0), 0) << "owners kept nothing: the test shows nothing";
}

TEST(Arrange, RanksThatDifferAreRefusedByTheParametersName) {
  const ExchangeParts parts = MakeParts(testing::Combination{"none", "identity"}.Config(), /*seed=*/1);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    const ElementOrder& mine = collective.rank() == 1 ? kChannelsLast : kRows;
    const auto refusal = [&](const auto& call) -> std::string {
      try {
        call();
      } catch (const ConfigError& error) {
        return error.what();
      }
      return "nothing thrown";
    };
    const auto says = AllOf(HasSubstr("rank 1"), HasSubstr("filter"), HasSubstr("channels last"));
    EXPECT_THAT(refusal([&] { Rank(collective, parts, kOnePiece, mine); }), says);
    Rank rank(collective, parts, kOnePiece, kRows);
    EXPECT_THAT(refusal([&] { rank.Arrange(mine); }), says);
  });
}

/// What LoadMemory says to memory that was changed; the exchange then holds what it held.
std::string Complaint(const std::function<void(std::vector<SavedVector<float>>&)>& change) {
  std::string complaint = "nothing thrown";
  testing::RunRanks(1, [&](Collective& collective) {
    Rank rank(collective, MakeParts(testing::Combination{"econtrol", "topk:2%"}.Config(), 1), kOnePiece, kChannelsLast);
    for (uint64_t step = 0; step < 3; ++step) rank.Step(step);
    const auto saved = SaveMemory(rank.exchange());
    auto changed = saved;
    change(changed);
    try {
      LoadMemory(rank.exchange(), changed);
    } catch (const Error& error) {
      complaint = error.what();
      ExpectSame(SaveMemory(rank.exchange()), saved);
    }
  });
  return complaint;
}

TEST(SavedMemory, ThatIsNotWhatTheMethodKeepsIsRefused) {
  using Vectors = std::vector<SavedVector<float>>;
  EXPECT_EQ(Complaint([](Vectors&) {}), "nothing thrown");
  EXPECT_THAT(Complaint([](Vectors& v) { v.pop_back(); }), AllOf(HasSubstr("has no 'mean h'"), HasSubstr("filter")));
  EXPECT_THAT(Complaint([](Vectors& v) { v.clear(); }), HasSubstr("of 3 that are missing"));
  EXPECT_THAT(Complaint([](Vectors& v) { v.push_back(v[0]); }), HasSubstr("has twice 'e'"));
  EXPECT_THAT(Complaint([](Vectors& v) { v[0].name = "y"; }), HasSubstr("'y' of parameter filter is not what"));
  EXPECT_THAT(Complaint([](Vectors& v) { v[0].down = true; }), HasSubstr("'e' of the way back"));
  EXPECT_THAT(Complaint([](Vectors& v) { v[1].values[7] = std::numeric_limits<float>::infinity(); }),
              AllOf(HasSubstr("'h'"), HasSubstr("infinite")));
  EXPECT_THAT(Complaint([](Vectors& v) { v[1].values.pop_back(); }), HasSubstr("1727 elements, expected 1728"));
  EXPECT_THAT(Complaint([](Vectors& v) { v[0].parameter = 1; }), HasSubstr("another model"));
}

std::string SettingsOf(const CommConfig& config, uint64_t seed, const Parameter& parameter = {"filter", kOnePiece}) {
  std::string text;
  testing::RunRanks(1, [&](Collective& collective) {
    Exchange<float> exchange(collective, {parameter}, MakeParts(config, seed));
    text = MemorySettings(exchange);
  });
  return text;
}

TEST(SavedMemory, SaysWhatItBelongsToAndWhatDiffers) {
  const CommConfig config = testing::Combination{"ef", "topk:2%"}.Config();
  const std::string saved = SettingsOf(config, 1);
  const auto differs = [&](const std::string& here) { return MemoryDifference(saved, here); };
  CommConfig harmless = config;
  harmless.timeout_s = 7, harmless.bucket_cap_mb = 1, harmless.start_iter = 9;
  EXPECT_EQ(differs(SettingsOf(harmless, 1, {"filter", kOnePiece, kChannelsLast})), "");
  EXPECT_THAT(differs(SettingsOf(testing::Combination{"ef21", "topk:2%"}.Config(), 1)),
              HasSubstr("method: saved with ef, this one has ef21"));
  EXPECT_THAT(differs(SettingsOf(testing::Combination{"ef", "topk:3%"}.Config(), 1)), HasSubstr("topk:3%"));
  EXPECT_THAT(differs(SettingsOf(testing::Combination{"ef", "topk:2%", "sharded", "ef"}.Config(), 1)),
              AllOf(HasSubstr("topology: saved with allgather"), HasSubstr("way back: saved with none")));
  EXPECT_THAT(differs(SettingsOf(config, 2)), HasSubstr("seed: saved with 1, this one has 2"));
  EXPECT_THAT(differs(SettingsOf(config, 1, {"filter", {12, 16, 3, 3}})), HasSubstr("[16, 12, 3, 3], compressed"));
  EXPECT_THAT(differs(SettingsOf(config, 1, {"other", kOnePiece})), HasSubstr("parameter other: saved with nothing"));
  const CommConfig sharded = testing::Combination{"doublesqueeze", "sign"}.Config();
  EXPECT_EQ(MemoryDifference(SettingsOf(sharded, 1, {"filter", kOnePiece}),
                             SettingsOf(sharded, 1, {"filter", kOnePiece, kChannelsLast})),
            "")
      << "one owner has all";
  EXPECT_THAT(MemoryDifference(SettingsOf(sharded, 1, {"filter", kTwoPieces}),
                               SettingsOf(sharded, 1, {"filter", kTwoPieces, kChannelsLast})),
              HasSubstr("memory format of filter, whose pieces have owners: saved with row by row"));
  CommConfig dense = config;
  dense.min_compress_numel = 2000;
  EXPECT_THAT(differs(SettingsOf(dense, 1)), HasSubstr("[16, 12, 3, 3], dense"));
}

TEST(ElementOrder, MatricesWhoseRowsAreScatteredAreRefusedByName) {
  ExchangeParts parts = MakeParts({.method = "ef", .compressor = "sign", .piece = "matrix"}, 1);
  testing::RunRanks(1, [&](Collective& collective) {
    EXPECT_NO_THROW(Exchange<float>(collective, {{"w", {4, 3, 2}, {0, 2, 1}}, {"b", {7}}}, parts)) << "rows in one";
    Exchange<float> exchange(collective, {{"w", {4, 3}}}, parts);
    for (const auto& refused :
         std::vector<std::function<void()>>{[&] {
                                              Exchange<float>(collective, {{"w", {4, 3}, {1, 0}}}, parts);
                                            },
                                            [&] {
                                              exchange.Arrange({{1, 0}});
                                            }}) {
      try {
        refused();
        ADD_FAILURE() << "taken";
      } catch (const ConfigError& error) {
        EXPECT_EQ(error.key(), "comm.piece");
        EXPECT_NE(error.reason().find("rows of parameter w"), std::string::npos) << error.what();
      }
    }
  });
}

}  // namespace
}  // namespace gradwire
