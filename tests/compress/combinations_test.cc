// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include "compress/scaled.h"
#include "gradwire/error.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

std::vector<float> Send(const std::string& spec, const std::vector<float>& x, uint64_t step = 0) {
  return Apply(*ParseCompressor(spec), SiteOf(Piece::Whole(x.size()), step), x);
}
std::optional<double> Omega(const std::string& spec, size_t numel) {
  return ParseCompressor(spec)->omega(Piece::Whole(numel));
}
std::optional<double> Delta(const std::string& spec, size_t numel) {
  return ParseCompressor(spec)->delta(Piece::Whole(numel));
}

TEST(Induced, VarianceIsTheFormulasOnTheSample) {  // omega_B times the share that Top-2 leaves: 2 * 3.035 / 16.035
  const Mean measured = MeasuredRatio("induced(topk:2,randk:2)", Sample());
  EXPECT_NEAR(measured.mean(), 0.378547, 5 * measured.error() + 5e-7);
}

TEST(Induced, OmegaIsThatOfTheSecondTimesWhatTheFirstLeaves) {
  EXPECT_DOUBLE_EQ(*Omega("induced(topk:2,randk:2)", 6), 2 * (1 - 2.0 / 6));
  EXPECT_DOUBLE_EQ(*Omega("induced(ssign:norm,randk:2)", 6), 2 * 5);  // unbiased and no contraction: omega times omega
  EXPECT_EQ(Omega("induced(identity,randk:2)", 6), 0);
}

TEST(Induced, OfIdentityIsIdentity) {
  const std::vector<float> x = Gaussian<float>(1000);
  EXPECT_TRUE(SameBits(Send("induced(identity,randk:1%)", x), x));
}

TEST(Induced, AfterAnOperatorThatSendsNextToNothingIsTheSecond) {
  const std::vector<float> x = Gaussian<float>(1000), sent = Send("induced(scaled(identity,1e-12),randk:1%)", x);
  Site second = SiteOf(Piece::Whole(1000), 0);
  second.part = 2;
  const std::vector<float> expected = Apply(*ParseCompressor("randk:1%"), second, x);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(sent[i], expected[i], 1e-11) << i;
}

TEST(Induced, IsTheFirstPlusTheSecondOfTheRest) {
  const std::vector<float> x = Gaussian<float>(100), sent = Send("induced(topk:10,identity)", x);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(sent[i], x[i]);
}

TEST(Then, DeltaIsThatOfBothInTurn) {
  EXPECT_DOUBLE_EQ(*Delta("then(topk:2,topk:3)", 6), 1 - 4.0 / 6 * 3.0 / 6);
  EXPECT_DOUBLE_EQ(*Delta("then(topk:2,unscale(randk:3))", 6), 1 - 4.0 / 6 * 0.5);
  EXPECT_EQ(Omega("then(topk:2,fp16)", 6), std::nullopt);
}

TEST(Then, DeltaIsAttained) {  // equal magnitudes: Top-2 of 6 leaves 2/3; of zeros and those unscaled Rand-3 halves it
  const std::vector<double> x(6, 1.0);
  const Mean measured = MeasuredRatio("then(topk:2,randk:3:unscaled)", x);
  EXPECT_NEAR(measured.mean(), 1 - *Delta("then(topk:2,randk:3:unscaled)", 6), 5 * measured.error() + 1e-12);
  const Mean drawn = MeasuredRatio("then(randk:2:unscaled,randk:3:unscaled)", x);  // were the coins the same: 1/2
  EXPECT_NEAR(drawn.mean(), 4.0 / 6 * 0.5, 5 * drawn.error());
}

TEST(Then, OfTwoTopKIsOneTopK) {
  const std::vector<float> x = Gaussian<float>(100);
  EXPECT_EQ(Send("then(topk:3,topk:7)", x), Send("topk:10", x));
}

TEST(Combinations, PartsDrawIndependently) {
  // Were the coins the same, the second would keep the positions of the first, where nothing is left.
  const std::vector<float> x(1000, 1.0f), sent = Send("induced(randk:50%:unscaled,randk:50%)", x);
  const auto twos = std::ranges::count(sent, 2.0f);  // missed by the first, kept by the second: 1/4
  EXPECT_NEAR(static_cast<double>(twos), 250, 5 * std::sqrt(1000 * 3.0 / 16));
  const std::vector<float> nested = Send("compose(randk:50%,compose(randk:50%,randk:50%))", x);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(nested, 8.0f)), 125, 5 * std::sqrt(1000 * 7.0 / 64));
}

TEST(Scaled, MultipliesAndHasTheDeltaOfTheBounds) {
  EXPECT_EQ(Send("scaled(topk:1,0.5)", {1, -4, 2}), (std::vector<float>{0, -2, 0}));
  EXPECT_DOUBLE_EQ(*Delta("scaled(randk:2,0.5)", 4), 2 * 0.5 - 0.25 * 2);  // omega 1: 2c - c^2 (1 + omega)
  EXPECT_EQ(Delta("scaled(randk:2,1.5)", 4), std::nullopt);
  EXPECT_DOUBLE_EQ(*Delta("scaled(identity,0.5)", 4), 0.75);
  EXPECT_EQ(Omega("scaled(randk:2,1)", 4), 1);
  EXPECT_FALSE(ParseCompressor("scaled(randk:2,0.5)")->unbiased());
}

TEST(Unscale, OfRandKIsRandKUnscaled) {
  const std::vector<float> x = Gaussian<float>(64);
  const Site site = SiteOf(Piece::Whole(64));
  Site part = site;
  part.part = 1;
  EXPECT_EQ(Apply(*ParseCompressor("unscale(randk:16)"), site, x),
            Apply(*ParseCompressor("randk:16:unscaled"), part, x));
  EXPECT_DOUBLE_EQ(*Delta("unscale(randk:16)", 64), 0.25);
}

std::optional<Scaling> LambdaOf(const std::string& spec, size_t numel) {
  return ScalingOf(*ParseCompressor(spec), Piece::Whole(numel));
}

/// Beznosikov et al. 2023, arXiv 2002.12410.
TEST(Lambda, IsTheFactorThatMakesAnOperatorContractive) {
  struct Case {
    const char* spec;
    double lambda, delta;
  };
  for (const Case& c : {Case{"randk:2", 1.0 / 3, 1.0 / 3}, Case{"topk:2", 1, 1.0 / 3},  // of 6
                        Case{"scaled(randk:2,5)", 1.0 / 15, 1.0 / 3}, Case{"scaled(topk:2,4)", 0.25, 1.0 / 3},
                        Case{"compose(randk:3,topk:2)", 0.5, 1.0 / 6}, Case{"unscale(randk:2)", 1, 1.0 / 3},
                        Case{"compose(randk:3,scaled(topk:2,4))", 0.125, 1.0 / 6}}) {
    const auto found = LambdaOf(c.spec, 6);
    ASSERT_TRUE(found) << c.spec;
    EXPECT_DOUBLE_EQ(found->lambda, c.lambda) << c.spec;
    EXPECT_DOUBLE_EQ(found->delta, c.delta) << c.spec;
  }
  for (const char* spec : {"sign:plain", "scaled(randk:2,-1)", "compose(topk:2,randk:3)"})
    EXPECT_FALSE(LambdaOf(spec, 6)) << spec;
}

TEST(Lambda, IsWhatUnscaleMultipliesBy) {  // equal magnitudes: Top-2 of 6 leaves 2/3, and Rand-3 of 6 halves the rest
  EXPECT_EQ(Delta("compose(randk:3,topk:2)", 6), std::nullopt);
  EXPECT_DOUBLE_EQ(*Delta("unscale(compose(randk:3,topk:2))", 6), 1.0 / 6);
  const Mean measured = MeasuredRatio("unscale(compose(randk:3,topk:2))", std::vector<double>(6, 1.0));
  EXPECT_NEAR(measured.mean(), 1 - 1.0 / 6, 5 * measured.error() + 1e-12);
  const std::vector<float> x = Gaussian<float>(64);
  EXPECT_EQ(Send("unscale(scaled(topk:8,4))", x), Send("topk:8", x));
  for (const char* spec : {"unscale(topk:2)", "unscale(sign:plain)", "unscale(unscale(randk:2))"})
    EXPECT_THROW(ParseCompressor(spec), ConfigError) << spec;
}

TEST(Compose, AppliesTheSecondFirst) {
  EXPECT_EQ(Send("compose(sign:exact,topk:1)", {1, -4, 2, 0}), (std::vector<float>{1, -1, 1, 1}));
  EXPECT_EQ(Send("compose(topk:1,sign:exact)", {1, -4, 2, 1}), (std::vector<float>{2, 0, 0, 0}));
}

TEST(Compose, ConstantsAreThoseOfTheBounds) {
  EXPECT_DOUBLE_EQ(*Omega("compose(randk:2,randk:3)", 6), 3 * 2 - 1);  // (1 + 2)(1 + 1) - 1
  const Mean measured = MeasuredRatio("compose(randk:2,randk:3)", Sample());
  EXPECT_NEAR(measured.mean(), 5, 5 * measured.error());  // exact for both, so for the two of them
  EXPECT_DOUBLE_EQ(*Delta("compose(unscale(randk:3),topk:2)", 6), 0.5 / 3);
  EXPECT_EQ(Delta("compose(randk:2,topk:2)", 6), std::nullopt);
  EXPECT_EQ(Delta("compose(sign,topk:2)", 6), std::nullopt);
}

TEST(Compose,
     DeltaOfADampedOperatorIsAttained) {  // equal magnitudes: Top-2 of 6 leaves 2/3, Rand-3 of 6 halves the rest
  const std::vector<double> x(6, 1.0);
  const Mean measured = MeasuredRatio("compose(unscale(randk:3),topk:2)", x);
  EXPECT_NEAR(measured.mean(), 1 - 0.5 / 3, 5 * measured.error() + 1e-12);
}

TEST(Combinations, CostTheirPayloads) {
  const auto bytes = [](const char* spec) { return ParseCompressor(spec)->Bytes(Piece::Whole(1000), Dtype::kF32); };
  EXPECT_EQ(bytes("induced(topk:10,randk:10)"), 64u + 40);  // 40 + 11, up to a multiple of 16
  EXPECT_EQ(bytes("compose(qsgd:7,topk:10)"), bytes("qsgd:7"));
  EXPECT_EQ(bytes("scaled(sign,0.5)"), bytes("sign"));
}

TEST(Combinations, AreOfTheWholeModelIfAPartIs) {
  EXPECT_EQ(ParseCompressor("induced(topk:1%,randk:1%)")->scope(), Scope::kPiece);
}

TEST(Combinations, BlameTheWorkerForAPartsPayload) {
  const auto induced = ParseCompressor("induced(topk:1,randk:1)");
  const Site site = SiteOf(Piece::Whole(5));
  std::vector<std::byte> bytes = Encode(*induced, site, std::vector<float>{0, 1, 0, 2, 0}).bytes;
  bytes[4] = std::byte{5};  // the position that Top-1 kept
  try {
    Decode<float>(*induced, site, bytes);
    FAIL() << "taken";
  } catch (const PeerError& error) {
    EXPECT_EQ(error.rank(), static_cast<int>(site.worker));
  }
}

}  // namespace
}  // namespace gradwire
