// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/operators.h"

namespace gradwire {
namespace {

using namespace testing;

constexpr size_t kBlock = 1024;

template <typename T>
Encoded<T> EncodeSign(const std::vector<T>& x) {
  return Encode(*ParseCompressor("sign"), SiteOf(Piece::Whole(x.size())), x);
}

template <typename T>
std::vector<T> Sign(const std::vector<T>& x) {
  return Apply(*ParseCompressor("sign"), SiteOf(Piece::Whole(x.size())), x);
}

/// The scale of a block, straight from src/wire/FORMAT.md: 64 sums, element i into sum i mod 64, folded in halves.
template <typename T>
T Scale(const T* x, size_t n) {
  T sums[64] = {};
  for (size_t i = 0; i < n; ++i) sums[i % 64] += std::abs(x[i]);
  for (const size_t half : {32, 16, 8, 4, 2, 1})
    for (size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
  return std::min(sums[0] / static_cast<T>(n), std::numeric_limits<T>::max());
}

template <typename T>
class SignOf : public ::testing::Test {};
using Elements = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SignOf, Elements);

TYPED_TEST(SignOf, IsTheMeanMagnitudeTimesTheSigns) {  // C(x) = (||x||_1 / d) sign(x), arXiv 1901.09847
  const std::vector<TypeParam> x = {0.5, -2, 1, -0.5}, sent = {1, -1, 1, -1}, residual_out = {-0.5, -1, 0, 0.5};
  EXPECT_EQ(Sign(x), sent);
  EXPECT_EQ(EncodeSign(x).residual_out, residual_out);
}

TYPED_TEST(SignOf, ZeroCountsAsPositive) {
  const std::vector<TypeParam> x = {0, -3, -0.0}, sent = {1, -1, 1};
  EXPECT_EQ(Sign(x), sent);
}

TYPED_TEST(SignOf, ErrorIsTheSquaredNormLessTheSquaredL1NormOverD) {  // where no element is zero
  const std::vector<TypeParam> x = Gaussian<TypeParam>(1000), sent = Sign(x);
  double error = 0, squares = 0, magnitudes = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    error += std::pow(static_cast<double>(sent[i]) - x[i], 2);
    squares += static_cast<double>(x[i]) * x[i];
    magnitudes += std::abs(static_cast<double>(x[i]));
  }
  const double wanted = squares - magnitudes * magnitudes / 1000;
  EXPECT_NEAR(error, wanted, 1000 * std::numeric_limits<TypeParam>::epsilon() * squares);
}

TYPED_TEST(SignOf, EveryBlockHasItsOwnScale) {
  std::vector<TypeParam> x(2 * kBlock + 3, TypeParam(1));
  std::fill(x.begin() + kBlock, x.begin() + 2 * kBlock, TypeParam(-8));
  std::fill(x.begin() + 2 * kBlock, x.end(), TypeParam(0.25));
  EXPECT_EQ(Sign(x), x);  // equal magnitudes within a block: nothing is left out
}

TYPED_TEST(SignOf, ScaleIsSummedInTheOrderOfTheFormat) {
  for (const size_t n : {1, 15, 16, 17, 63, 64, 65, 1000, 1024}) {
    const std::vector<TypeParam> x = Gaussian<TypeParam>(n, n);
    EXPECT_EQ(std::abs(Sign(x)[0]), Scale(x.data(), n)) << n;
  }
}

TYPED_TEST(SignOf, SumThatOverflowsGivesTheLargestScale) {
  const TypeParam largest = std::numeric_limits<TypeParam>::max();
  const std::vector<TypeParam> x = {largest, -largest, largest, largest / 2};
  const Encoded<TypeParam> encoded = EncodeSign(x);
  EXPECT_EQ(encoded.residual_out, (std::vector<TypeParam>{0, 0, 0, -largest / 2}));
  EXPECT_EQ(Sign(x), (std::vector<TypeParam>{largest, -largest, largest, largest}));
}

TYPED_TEST(SignOf, DeltaIsAttainedByOneSpike) {  // ||x||_1^2 / (d ||x||^2) = 1/d
  std::vector<TypeParam> x(kBlock);
  x[5] = 1024;
  double error = 0;
  for (const TypeParam residual_out : EncodeSign(x).residual_out)
    error += static_cast<double>(residual_out) * residual_out;
  EXPECT_EQ(error, 1024.0 * 1024 * (1 - 1.0 / kBlock));
  EXPECT_EQ(ParseCompressor("sign")->delta(Piece::Whole(65536)), 1.0 / kBlock);
  EXPECT_EQ(ParseCompressor("sign")->delta(Piece::Whole(10)), 0.1);
}

TEST(Sign, CostsOneBitAnElementAndAScaleABlock) {
  const auto sign = ParseCompressor("sign");
  EXPECT_EQ(sign->Bytes(Piece::Whole(65536), Dtype::kF32), 64u * 4 + 8192);
  EXPECT_EQ(sign->Bytes(Piece::Whole(1025), Dtype::kF64), 2u * 8 + 129);
  EXPECT_EQ(sign->Bytes(Piece::Whole(0), Dtype::kF32), 0u);
}

TEST(Sign, RefusesAScaleThatIsNotFiniteOrIsNegative) {
  const auto sign = ParseCompressor("sign");
  for (const float scale : {-1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<std::byte> bytes = EncodeSign(std::vector<float>{1, 2, 3}).bytes;
    std::memcpy(bytes.data(), &scale, sizeof(scale));
    EXPECT_THROW(Decode<float>(*sign, SiteOf(Piece::Whole(3)), bytes), PeerError) << scale;
  }
}

}  // namespace
}  // namespace gradwire
