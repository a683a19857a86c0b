// SPDX-License-Identifier: Apache-2.0
// One infinite or NaN element makes its bucket NaN on all ranks, and leaves no trace in any memory.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

constexpr int kWorkers = 3;
constexpr int kPoisoner = 1;
constexpr uint64_t kPoisonedStep = 2, kSteps = 6;
constexpr uint32_t kBig = 0, kOther = 1, kElsewhere = 2;
constexpr size_t kPlace = kPieceNumel + 17;  // in the second of kBig's three pieces

const std::vector<Parameter> kParameters = {{"big", {131080, 1}}, {"other", {60, 50}}, {"elsewhere", {60, 50}}};
const testing::Layout kLayout = {{kOther, kBig}, {kElsewhere}};

template <typename T>
std::vector<T> Copy(std::span<const T> values) {
  return {values.begin(), values.end()};
}

template <typename T>
bool SameBits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

template <typename T>
bool AllNan(std::span<const T> values) {
  return std::ranges::all_of(values, [](T x) { return std::isnan(x); });
}

/// One rank of a run in which kPoisoner's gradient holds `poison` at kPlace in step kPoisonedStep; if it is 0, the
/// whole block of 1,024 is 0.
template <typename T>
class Rank {
 public:
  Rank(Collective& collective, const testing::Combination& combination)
      : rank_(collective.rank()),
        exchange_(collective, kParameters, MakeParts(combination.Config(), /*seed=*/1)),
        sink_(exchange_),
        buckets_(kParameters, kLayout) {}

  void Exchange(uint64_t step, T poison = 0) {
    Philox random(step, Purpose::kSynthetic, static_cast<uint64_t>(rank_));
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (T& x : buckets_.Of(p)) x = static_cast<T>(random.Uniform() - 0.5);
    if (step == kPoisonedStep && rank_ == kPoisoner) {
      if (poison == 0) std::ranges::fill(buckets_.Of(kBig).subspan(kPieceNumel, 1024), T{0});
      buckets_.Of(kBig)[kPlace] = poison;
    }
    gradient_ = Copy<T>(buckets_.Of(kBig));
    buckets_.Exchange(sink_, step);
  }

  std::span<const T> Gradient() const { return gradient_; }  ///< of kBig, before the exchange
  std::span<const T> Result(uint32_t parameter) { return buckets_.Of(parameter); }
  std::span<T> Memory(uint32_t parameter) { return exchange_.state().Vector(parameter, "e"); }
  bool poisoner() const { return rank_ == kPoisoner; }

 private:
  int rank_;
  gradwire::Exchange<T> exchange_;
  DirectSink<T> sink_;
  testing::Buckets<T> buckets_;
  std::vector<T> gradient_;
};

template <typename T>
void ExpectOnlyTheBucketIsNan(const testing::Combination& combination, T poison) {
  std::vector<T> clean;
  std::vector<std::vector<T>> memories(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Rank<T> rank(collective, combination);
    for (uint64_t step = 0; step <= kPoisonedStep; ++step) rank.Exchange(step);
    if (collective.rank() == 0) clean = Copy(rank.Result(kElsewhere));
    memories[static_cast<size_t>(collective.rank())] = Copy<T>(rank.Memory(kBig));
  });
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Rank<T> rank(collective, combination);
    for (uint64_t step = 0; step <= kPoisonedStep; ++step) rank.Exchange(step, poison);
    EXPECT_TRUE(AllNan(rank.Result(kBig)) && AllNan(rank.Result(kOther))) << "rank " << collective.rank();
    EXPECT_TRUE(SameBits<T>(rank.Result(kElsewhere), clean)) << "rank " << collective.rank();
    EXPECT_TRUE(SameBits<T>(rank.Memory(kBig), memories[static_cast<size_t>(collective.rank())]))
        << "the poisoned block counts as zeros; other blocks and ranks go on";
  });
}

/// From the step after the poison: sum of gradients + memory then = n * sum of results + memory at the end.
template <typename T>
void ExpectConservationAfterwards(const testing::Combination& combination, T poison) {
  const size_t numel = kParameters[kBig].numel();
  std::vector<std::vector<double>> received(kWorkers, std::vector<double>(numel)), owed = received;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    std::vector<double>& in = owed[static_cast<size_t>(collective.rank())];
    std::vector<double>& out = received[static_cast<size_t>(collective.rank())];
    Rank<T> rank(collective, combination);
    for (uint64_t step = 0; step <= kPoisonedStep; ++step) rank.Exchange(step, poison);
    for (size_t i = 0; i < numel; ++i) in[i] = rank.Memory(kBig)[i];
    for (uint64_t step = kPoisonedStep + 1; step < kSteps; ++step) {
      rank.Exchange(step);
      for (size_t i = 0; i < numel; ++i) in[i] += rank.Gradient()[i], out[i] += rank.Result(kBig)[i];
    }
    for (size_t i = 0; i < numel; ++i) in[i] -= rank.Memory(kBig)[i];
  });
  double worst = 0;
  for (size_t i = 0; i < numel; ++i) {
    double difference = -kWorkers * received[0][i];
    for (const auto& of_rank : owed) difference += of_rank[i];
    ASSERT_TRUE(std::isfinite(difference)) << "element " << i;
    worst = std::max(worst, std::abs(difference));
  }
  // Each of 3 steps rounds below n (n + 3) times at magnitudes below 6 steps * 1/2 (conservation_test.cc).
  EXPECT_LE(worst, 3 * kWorkers * (kWorkers + 3) * 3 * std::numeric_limits<T>::epsilon());
}

class NonFinite : public ::testing::TestWithParam<testing::Combination> {};

TEST_P(NonFinite, ElementMakesItsBucketNanAndNoOther) {
  ExpectOnlyTheBucketIsNan<float>(GetParam(), std::numeric_limits<float>::quiet_NaN());
  ExpectOnlyTheBucketIsNan<float>(GetParam(), std::numeric_limits<float>::infinity());
  ExpectOnlyTheBucketIsNan<double>(GetParam(), -std::numeric_limits<double>::infinity());
}

TEST_P(NonFinite, ElementLeavesNothingBehind) {
  ExpectConservationAfterwards<float>(GetParam(), std::numeric_limits<float>::quiet_NaN());
  ExpectConservationAfterwards<double>(GetParam(), std::numeric_limits<double>::infinity());
}

INSTANTIATE_TEST_SUITE_P(, NonFinite,
                         ::testing::Values(testing::Combination{"ef", "sign"}, testing::Combination{"ef", "topk:1%"},
                                           testing::Combination{"ef", "fp16"}),
                         [](const auto& info) { return testing::NameOf(info.param); });

}  // namespace
}  // namespace gradwire
