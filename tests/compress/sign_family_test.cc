// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

template <typename T>
std::vector<T> Send(const std::string& spec, const std::vector<T>& x, uint64_t step = 0) {
  return Apply(*ParseCompressor(spec), SiteOf(Piece::Whole(x.size()), step), x);
}

TEST(SignExact, HasOneScaleForThePiece) {  // (||x||_1 / d) sign(x), arXiv 1901.09847
  std::vector<float> x(3000, 1.0f), sent(3000, 2.0f);
  for (size_t i = 2000; i < 3000; ++i) x[i] = -4, sent[i] = -2;
  EXPECT_EQ(Send("sign:exact", x), sent);
  EXPECT_EQ(ParseCompressor("sign:exact")->Bytes(Piece::Whole(3000), Dtype::kF32), 4u + 375);
  EXPECT_EQ(ParseCompressor("sign:exact")->delta(Piece::Whole(65536)), 1.0 / 65536);
}

TEST(SignPlain, IsTheSignWithZeroAsPlus) {  // arXiv 1802.04434, with zero mapped to +1
  EXPECT_EQ(Send("sign:plain", std::vector<float>{0.4f, 0, -0.3f}), (std::vector<float>{1, 1, -1}));
  EXPECT_EQ(Send("sign:plain", std::vector<float>{0, -0.0f}), (std::vector<float>{0, 0}));
  EXPECT_EQ(ParseCompressor("sign:plain")->Bytes(Piece::Whole(800), Dtype::kF64), 101u);
  EXPECT_EQ(ParseCompressor("sign:plain")->delta(Piece::Whole(8)), std::nullopt);
}

template <typename T>
class StochasticSign : public ::testing::Test {};
using Elements = ::testing::Types<float, double>;
TYPED_TEST_SUITE(StochasticSign, Elements);

TYPED_TEST(StochasticSign, HasTheProbabilitiesOfTheExample) {  // 1/2 + x_j / (2 ||x||), arXiv 1905.12938: 0.9, 0.5, 0.2
  const std::vector<TypeParam> x = {TypeParam(0.4), 0, TypeParam(-0.3)};
  const std::vector<double> wanted = {0.9, 0.5, 0.2};
  constexpr int kDraws = 40000;
  std::vector<int> plus(3);
  for (uint64_t step = 0; step < kDraws; ++step) {
    const std::vector<TypeParam> sent = Send("ssign", x, step);
    for (size_t i = 0; i < 3; ++i) {
      ASSERT_EQ(std::abs(sent[i]), 1);
      plus[i] += sent[i] > 0;
    }
  }
  for (size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(plus[i], wanted[i] * kDraws, 5 * std::sqrt(kDraws * wanted[i] * (1 - wanted[i]))) << i;
}

TYPED_TEST(StochasticSign, NormScaledHasSquaredNormDTimesThatOfX) {  // in every draw
  const std::vector<TypeParam> x = Gaussian<TypeParam>(100);
  const auto norm = static_cast<double>(SquaredNorm(x));
  for (uint64_t step = 0; step < 20; ++step)
    EXPECT_NEAR(static_cast<double>(SquaredNorm(Send("ssign:norm", x, step))), 100 * norm,
                400 * std::numeric_limits<TypeParam>::epsilon() * norm);
}

TYPED_TEST(StochasticSign, HasANormForEachBlock) {  // of 1,024 elements: one does not see how large others are
  std::vector<TypeParam> x(2048, TypeParam(1)), zero(2048);
  for (size_t i = 0; i < 1024; ++i) x[i] = TypeParam(1e6), zero[1024 + i] = TypeParam(2);
  const std::vector<TypeParam> sent = Send("ssign:norm", x), half = Send("ssign", zero);
  EXPECT_NEAR(std::abs(sent[0]), 32e6, 10);
  EXPECT_NEAR(std::abs(sent[1500]), 32, 1e-5);
  EXPECT_EQ(half[5], 0);
  EXPECT_EQ(std::abs(half[1500]), 1);
  EXPECT_EQ(ParseCompressor("ssign:norm")->omega(Piece::Whole(5000)), 1023);
  EXPECT_EQ(ParseCompressor("ssign")->Bytes(Piece::Whole(5000), Dtype::kF64), 5u + 625);
}

TYPED_TEST(StochasticSign, VarianceIsExactlyOmega) {  // d - 1, for every x
  const std::vector<TypeParam> x = {TypeParam(0.4), TypeParam(-1.5), 3, TypeParam(0.25)};
  const Mean measured = MeasuredRatio("ssign:norm", x);
  EXPECT_NEAR(measured.mean(), 3, 5 * measured.error());
  EXPECT_EQ(ParseCompressor("ssign:norm")->omega(Piece::Whole(4)), 3);
}

TEST(StochasticSignPayload, RefusesFactorsThatCannotBe) {
  const Site site = SiteOf(Piece::Whole(3));
  std::vector<std::byte> bytes = Encode(*ParseCompressor("ssign"), site, std::vector<float>{1, 2, 3}).bytes;
  bytes[0] = std::byte{2};
  EXPECT_THROW(Decode<float>(*ParseCompressor("ssign"), site, bytes), PeerError);
  EXPECT_THROW(Decode<float>(*ParseCompressor("sign:plain"), site, bytes), PeerError);
  bytes = Encode(*ParseCompressor("ssign:norm"), site, std::vector<float>{1, 2, 3}).bytes;
  bytes[3] |= std::byte{0x80};
  EXPECT_THROW(Decode<float>(*ParseCompressor("ssign:norm"), site, bytes), PeerError);
}

}  // namespace
}  // namespace gradwire
