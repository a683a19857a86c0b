// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

template <typename T>
std::vector<T> Natural(const std::vector<T>& x, uint64_t step = 0) {
  return Apply(*ParseCompressor("natural"), SiteOf(Piece::Whole(x.size()), step), x);
}

template <typename T>
class NaturalOf : public ::testing::Test {};
using Elements = ::testing::Types<float, double>;
TYPED_TEST_SUITE(NaturalOf, Elements);

TYPED_TEST(NaturalOf, PowersOfTwoAndZeroAreExact) {
  using Limits = std::numeric_limits<TypeParam>;
  const std::vector<TypeParam> x = {
      0, 1, -1, TypeParam(0.25), -1024, Limits::min(), std::ldexp(TypeParam(1), Limits::max_exponent - 1)};
  EXPECT_EQ(Natural(x), x);
}

TYPED_TEST(NaturalOf, NeighbouringPowersAreDrawnByTheirDistance) {  // 5/4: up to 2 in a quarter of the draws
  constexpr int kDraws = 40000;
  const std::vector<TypeParam> drawn = Natural(std::vector<TypeParam>(kDraws, TypeParam(-1.25)));
  const auto up = std::ranges::count(drawn, TypeParam(-2));
  EXPECT_EQ(up + std::ranges::count(drawn, TypeParam(-1)), kDraws);
  EXPECT_NEAR(static_cast<double>(up), kDraws / 4.0, 5 * std::sqrt(kDraws * 3.0 / 16));
}

TYPED_TEST(NaturalOf, OmegaIsAttainedByFourThirds) {  // 1/8 at (4/3) 2^a, arXiv 1905.10988
  const std::vector<TypeParam> x(64, TypeParam(4) / 3);
  const Mean measured = MeasuredRatio("natural", x, 4000);
  EXPECT_NEAR(measured.mean(), 0.125, 5 * measured.error());
  EXPECT_EQ(ParseCompressor("natural")->omega(Piece::Whole(64)), 0.125);
}

TYPED_TEST(NaturalOf, DenormalsKeepTheirMean) {  // 3/8 of the smallest normal number: 0, or that number 3 times of 8
  constexpr int kDraws = 40000;
  const TypeParam least = std::numeric_limits<TypeParam>::min();
  const std::vector<TypeParam> drawn = Natural(std::vector<TypeParam>(kDraws, least * TypeParam(0.375)));
  const auto up = std::ranges::count(drawn, least);
  EXPECT_EQ(up + std::ranges::count(drawn, TypeParam(0)), kDraws);
  EXPECT_NEAR(static_cast<double>(up), kDraws * 0.375, 5 * std::sqrt(kDraws * 0.375 * 0.625));
}

TYPED_TEST(NaturalOf, UppermostBinadeIsRoundedDown) {
  const TypeParam largest = std::numeric_limits<TypeParam>::max(),
                  power = std::ldexp(TypeParam(1), std::numeric_limits<TypeParam>::max_exponent - 1);
  EXPECT_EQ(Natural(std::vector<TypeParam>{largest, -largest}), (std::vector<TypeParam>{power, -power}));
}

TEST(Natural, CostsASignAndAnExponentAnElement) {
  EXPECT_EQ(ParseCompressor("natural")->Bytes(Piece::Whole(65536), Dtype::kF32), 65536u * 9 / 8);
  EXPECT_EQ(ParseCompressor("natural")->Bytes(Piece::Whole(65536), Dtype::kF64), 65536u * 12 / 8);
}

TEST(Natural, RefusesInfinity) {
  const std::vector<std::byte> bytes = {std::byte{0xff}, std::byte{0x00}};  // exponent 255
  EXPECT_THROW(Decode<float>(*ParseCompressor("natural"), SiteOf(Piece::Whole(1)), bytes), PeerError);
}

TEST(NaturalDithering, LevelsArePowersOfTwoOfTheNorm) {
  const std::vector<double> x = {3, 4, 0.01, -1};  // norm about 5.1
  const double norm = std::sqrt(static_cast<double>(SquaredNorm(x)));
  for (uint64_t step = 0; step < 50; ++step)
    for (const double value : Apply(*ParseCompressor("natural_dithering:2:4"), SiteOf(Piece::Whole(4), step), x)) {
      const double y = std::abs(value) / norm;
      EXPECT_TRUE(y == 0 || std::abs(std::log2(y) - std::round(std::log2(y))) < 1e-12) << y;
      EXPECT_TRUE(y == 0 || y > 0.124) << y;
    }
}

TEST(NaturalDithering, VarianceIsThatOfItsLevels) {  // sum of (|x| - a)(b - |x|), of the neighbours a and b
  const std::vector<double> x = Sample();
  const double norm = std::sqrt(static_cast<double>(SquaredNorm(x)));
  double sum = 0;
  for (const double v : x) {
    double low = 0, high = norm / 4;  // s = 3: 1/4, 1/2, 1
    while (high < std::abs(v)) low = high, high *= 2;
    sum += (std::abs(v) - low) * (high - std::abs(v));
  }
  const Mean measured = MeasuredRatio("natural_dithering:2:3", x);
  EXPECT_NEAR(measured.mean(), sum / norm / norm, 5 * measured.error());
  EXPECT_LE(sum / norm / norm, *ParseCompressor("natural_dithering:2:3")->omega(Piece::Whole(6)));
}

}  // namespace
}  // namespace gradwire
