// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "compress/largest.h"
#include "gradwire/error.h"
#include "support/operators.h"
#include "support/sorted_topk.h"

namespace gradwire {
namespace {

using namespace testing;

template <typename T>
using Limits = std::numeric_limits<T>;
template <typename T>
class TopKOf : public ::testing::Test {};
using Elements = ::testing::Types<float, double>;
TYPED_TEST_SUITE(TopKOf, Elements);

TYPED_TEST(TopKOf, KeepsTheTwoLargestOfTheExample) {  // by hand
  const std::vector<TypeParam> x = {-0.4, 12.1, 0.76, 2.8, -9.7}, kept = {0, 12.1, 0, 0, -9.7};
  EXPECT_EQ(TopK("2", x), kept);
}

TYPED_TEST(TopKOf, TiesGoToTheLowestPositions) {
  const std::vector<TypeParam> x = {1, -2, 2, -1, 2, -2, 1}, kept = {0, -2, 2, 0, 2, 0, 0};
  EXPECT_EQ(TopK("3", x), kept);
  EXPECT_EQ(TopK("1", std::vector<TypeParam>(1000, TypeParam(-4)))[0], TypeParam(-4));
}

TYPED_TEST(TopKOf, IsTheSortedReferenceOnEveryNastyVector) {
  for (const size_t numel : {1, 7, 1025})
    for (const auto& [name, x] : NastyVectors<TypeParam>(numel))
      for (const size_t k : {size_t{1}, size_t{3}, numel / 2 + 1, numel})
        EXPECT_EQ(TopK(std::to_string(k), x), Reference(k, x)) << name << ", k = " << k << " of " << numel;
}

TYPED_TEST(TopKOf, OwesExactlyTheSmallest) {  // the squared residual is the sum of the d - k smallest squares
  constexpr size_t kNumel = 1000, kKept = 10;
  std::vector<TypeParam> x = Gaussian<TypeParam>(kNumel);
  std::vector<TypeParam> residual_out =
      Encode(*ParseCompressor("topk:1%"), SiteOf(Piece::Whole(kNumel)), x).residual_out;
  const auto by_magnitude = [](TypeParam a, TypeParam b) { return std::abs(a) < std::abs(b); };
  std::ranges::sort(x, by_magnitude);
  std::ranges::sort(residual_out, by_magnitude);
  for (size_t i = 0; i < kKept; ++i) EXPECT_EQ(residual_out[i], 0);
  for (size_t i = 0; i < kNumel - kKept; ++i) EXPECT_EQ(residual_out[i + kKept], x[i]);
}

/// What is found does not depend on the magnitude at which it is looked for first.
TYPED_TEST(TopKOf, AnyGuessFindsTheSame) {
  using T = TypeParam;
  for (const auto& [name, x] : NastyVectors<T>(20000))
    for (const size_t k : {size_t{1}, size_t{200}, size_t{19999}}) {
      const std::vector<T> wanted = Reference(k, x);
      std::vector<T> sorted = x;
      std::ranges::sort(sorted, {}, [](T value) { return std::abs(value); });
      for (const T guess : {T(0), sorted[20000 - k], sorted[20000 - k / 2 - 1], sorted[20000 - (k + 20000) / 2],
                            sorted[19999], Limits<T>::infinity()}) {
        Lane lane;
        std::vector<T> u(x.size()), found(x.size());
        bool finite = false;
        const auto top = Largest<T>(lane, {x.size(), x, 1, {}, u}, k, kernels::MagnitudeBits(guess), finite);
        EXPECT_TRUE(finite);
        ASSERT_EQ(top.count, k) << name << ", guess " << guess;
        for (size_t j = 0; j < k; ++j) found[top.positions[j]] = top.values[j];
        EXPECT_EQ(found, wanted) << name << ", guess " << guess;
        EXPECT_EQ(u, x);
      }
    }
}

TYPED_TEST(TopKOf, ALargerOneBehindManyThatAreEqualIsKept) {  // by the smallest difference that there is
  std::vector<TypeParam> x(65536, TypeParam(1));
  for (size_t i = 50000; i < 50600; ++i) x[i] = std::nextafter(TypeParam(1), TypeParam(2));
  EXPECT_EQ(TopK("655", x), Reference(655, x));
}

TYPED_TEST(TopKOf, MagnitudesThatRiseOrFallAreSortedToo) {  // in one every element is larger than all that passed
  for (const bool rise : {true, false}) {
    std::vector<TypeParam> x(65536);
    for (size_t i = 0; i < x.size(); ++i)
      x[rise ? i : x.size() - 1 - i] = static_cast<TypeParam>(i % 2 ? -1.0 * i : 1.0 * i);
    for (const size_t k : {size_t{1}, size_t{655}, size_t{30000}})
      EXPECT_EQ(TopK(std::to_string(k), x), Reference(k, x));
  }
}

size_t KeptOf(const std::string& spec, const Piece& piece) {
  const std::vector<float> kept = Apply(*ParseCompressor(spec), SiteOf(piece), std::vector<float>(piece.numel, 1));
  return static_cast<size_t>(std::ranges::count(kept, 1.0f));
}
size_t KeptOf(const std::string& spec, size_t numel) { return KeptOf(spec, Piece::Whole(numel)); }

TEST(TopK, PercentageIsRoundedToNearestAndAtLeastOne) {
  EXPECT_EQ(KeptOf("topk:1%", 149), 1u);
  EXPECT_EQ(KeptOf("topk:1%", 150), 2u);  // 1.5
  EXPECT_EQ(KeptOf("topk:1%", 10), 1u);
  EXPECT_EQ(KeptOf("topk:0.1%", 65536), 66u);  // 65.536
  EXPECT_EQ(KeptOf("topk:100%", 65536), 65536u);
  EXPECT_EQ(KeptOf("topk:5000", 100), 100u);
}

TEST(TopK, CountIsTheWholeParametersSharedOverItsPieces) {
  constexpr size_t kNumel = 3 * 65536 + 100;
  for (const auto& [spec, kept] : std::vector<std::pair<std::string, size_t>>{{"topk:5000", 5000}, {"topk:1%", 1967}}) {
    size_t sum = 0;
    for (size_t i = 0; i < PieceCount(kNumel, PieceRule::kFixed); ++i)
      sum += KeptOf(spec, PieceAt(kNumel, PieceRule::kFixed, i));
    EXPECT_EQ(sum, kept) << spec;
  }
}

TEST(TopK, CostsItsValuesAndTheirCodedPositions) {
  const auto bytes = [](const char* spec, size_t numel, Dtype dtype) {
    return ParseCompressor(spec)->Bytes(Piece::Whole(numel), dtype);
  };
  EXPECT_EQ(bytes("topk:1%", 65536, Dtype::kF32), 655u * 4 + 700);  // 5.07 bytes an element; 655 * 7 + 1013 bits
  EXPECT_EQ(bytes("topk:1%", 65536, Dtype::kF64), 655u * 8 + 700);
  EXPECT_EQ(bytes("topk:1", 65536, Dtype::kF32), 4u + 2);
  EXPECT_EQ(bytes("topk:100%", 65536, Dtype::kF32), 65536u * 4);  // all positions: nothing to say
}

TEST(TopK, KeepsTheLastElementOfAnyPiece) {
  for (const size_t numel : {65536, 65537}) {
    std::vector<float> x(numel);
    x.back() = -2;
    EXPECT_EQ(TopK("1", x), x);
  }
}

TEST(TopK, RefusesPositionsThatDoNotAscend) {
  const auto topk = ParseCompressor("topk:2");
  const Site site = SiteOf(Piece::Whole(5));
  std::vector<std::byte> bytes = Encode(*topk, site, std::vector<float>{0, 1, 0, 2, 0}).bytes;
  ASSERT_EQ(bytes.size(), 2u * 4 + 1);  // rests in 0 .. 3 take two bits each
  const auto decode = [&](int rests) {
    bytes[8] = static_cast<std::byte>(rests);
    return Decode<float>(*topk, site, bytes);
  };
  EXPECT_EQ(decode(0b1100), std::vector<float>({1, 0, 0, 0, 2}));
  for (const int rests : {0b0001, 0b1011, 0b11100}) EXPECT_THROW(decode(rests), PeerError) << rests;
}

TEST(TopK, DeltaIsAttainedByEqualMagnitudes) {  // k/d
  const std::vector<float> x(1000, 1.0f), kept = TopK("1%", x);
  EXPECT_EQ(std::ranges::count(kept, 0.0f), 990);
  EXPECT_EQ(ParseCompressor("topk:1%")->delta(Piece::Whole(1000)), 0.01);
}

}  // namespace
}  // namespace gradwire
