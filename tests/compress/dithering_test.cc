// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "kernels/norm.h"
#include "kernels/scalar/norm.h"
#include "support/dithering_variance.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

struct Ratio {
  const char* p;
  int s;
  double value;
};

TEST(Dithering, VarianceIsTheFormulasOnTheSample) {  // worked out in numpy as well
  for (const Ratio& ratio :
       {Ratio{"1", 1, 2.892111}, Ratio{"2", 1, 0.972843}, Ratio{"2", 4, 0.054414}, Ratio{"inf", 1, 0.478017}}) {
    const std::string spec = std::string("dithering:") + ratio.p + ":" + std::to_string(ratio.s);
    EXPECT_NEAR(DitheringVariance(Sample(), ratio.p, ratio.s), ratio.value, 5e-7);
    const Mean measured = MeasuredRatio(spec, Sample());
    EXPECT_NEAR(measured.mean(), ratio.value, 5 * measured.error()) << spec;
  }
}

TEST(Dithering, OmegaOfOneLevelIsAttained) {  // d - 1, sqrt(d) - 1, (sqrt(d) - 1)/2 for p = 1, 2, inf
  constexpr size_t kNumel = 100;
  std::vector<double> spread(kNumel, 1.0), edge(kNumel, 1 / (1 + std::sqrt(kNumel)));
  edge[0] = 1;
  const auto omega = [](const std::string& spec) { return *ParseCompressor(spec)->omega(Piece::Whole(kNumel)); };
  EXPECT_DOUBLE_EQ(omega("dithering:1:1"), 99);
  EXPECT_DOUBLE_EQ(omega("dithering:2:1"), 9);
  EXPECT_DOUBLE_EQ(omega("dithering:inf:1"), 4.5);
  EXPECT_NEAR(DitheringVariance(spread, "1", 1), 99, 1e-9);
  EXPECT_NEAR(DitheringVariance(spread, "2", 1), 9, 1e-9);
  EXPECT_NEAR(DitheringVariance(edge, "inf", 1), 4.5, 1e-9);
}

TEST(Dithering, FamiliarNamesAreItsSpecialCases) {
  const Site site = SiteOf(Piece::Whole(3000));
  const std::vector<float> x = Gaussian<float>(3000);
  EXPECT_TRUE(Encode(*ParseCompressor("terngrad"), site, x) == Encode(*ParseCompressor("dithering:inf:1"), site, x));
  EXPECT_TRUE(Encode(*ParseCompressor("qsgd:7"), site, x) == Encode(*ParseCompressor("dithering:2:7"), site, x));
}

TEST(Dithering, CostsTheBitsOfItsCodesAndANorm) {
  const auto bytes = [](const char* spec) { return ParseCompressor(spec)->Bytes(Piece::Whole(1000), Dtype::kF32); };
  EXPECT_EQ(bytes("qsgd:127"), 4u + 1000);
  EXPECT_EQ(bytes("qsgd:7"), 4u + 500);
  EXPECT_EQ(bytes("qsgd:8"), 4u + 625);  // 17 codes: 5 bits
  EXPECT_EQ(bytes("terngrad"), 4u + 200);
  EXPECT_EQ(bytes("natural_dithering:2:7"), 4u + 500);
  EXPECT_EQ(ParseCompressor("qsgd:7")->Bytes(Piece::Whole(1025), Dtype::kF32), 8u + 513);  // a norm a block
}

/// DORE (Liu et al. 2020, arXiv 1910.07561) counts 1.5 bits and 32/256 a coordinate: the entropy of a third of each of
/// three numbers is 1.58, and five of them to a byte take 1.6.
TEST(Dithering, NormsOfBlocksOf256CostAnEighthOfABit) {
  const auto bits = [](const char* spec) {
    return 8.0 * static_cast<double>(ParseCompressor(spec)->Bytes(Piece::Whole(65536), Dtype::kF32)) / 65536;
  };
  EXPECT_DOUBLE_EQ(bits("terngrad:block=256"), 8 * (205 + 4 * 4) / 1024.0);  // 1.7266: 94.6 % less than 32
  EXPECT_DOUBLE_EQ(bits("terngrad:block=256") - bits("terngrad"), (32 / 256.0) * 3 / 4);
  EXPECT_EQ(ParseCompressor("qsgd:7:block=256")->Bytes(Piece::Whole(1025), Dtype::kF64), 5u * 8 + 513);
}

TEST(Dithering, EachBlockHasANormOfItsOwn) {  // so that what is small is not lost beside what is large
  std::vector<float> x(300, 1000.0f);
  for (size_t i = 64; i < 128; ++i) x[i] = 0.5f;
  const auto sent = [&](const char* spec) { return Apply(*ParseCompressor(spec), SiteOf(Piece::Whole(300)), x); };
  EXPECT_EQ(sent("dithering:inf:1:block=64"), x);
  EXPECT_NE(sent("dithering:inf:1:block=128"), x);
}

TEST(Dithering, OmegaIsThatOfABlock) {
  const auto omega = [](const char* spec, size_t numel) { return *ParseCompressor(spec)->omega(Piece::Whole(numel)); };
  EXPECT_DOUBLE_EQ(omega("dithering:2:1:block=256", 5000), 15);
  EXPECT_DOUBLE_EQ(omega("terngrad:block=256", 5000), 7.5);  // (sqrt(256) - 1) / 2
  EXPECT_DOUBLE_EQ(omega("qsgd:1:block=256", 100), 9);
  std::vector<double> edge(512, 1.0 / 17);  // attains it in both blocks
  edge[0] = edge[256] = 1;
  const Mean measured = MeasuredRatio("terngrad:block=256", edge, 4000);
  EXPECT_NEAR(measured.mean(), 7.5, 5 * measured.error());
}

TEST(Dithering, BlocksArePowersOfTwoUpToTheUsualOne) {
  EXPECT_EQ(ParseCompressor("qsgd:7:block=1024")->spec(), "qsgd:7");
  EXPECT_EQ(ParseCompressor("terngrad:clip:block=64")->spec(), "terngrad:clip:block=64");
  for (const char* spec : {"qsgd:7:block=16", "qsgd:7:block=2048", "qsgd:block=256", "qsgd:7:block=",
                           "terngrad:block=96", "dithering:2:block=64", "terngrad:block=64:clip", "terngrad:64"})
    EXPECT_THROW(ParseCompressor(spec), ConfigError) << spec;
}

TEST(Dithering, LargestElementIsExactInTheMaximumNorm) {
  const std::vector<float> x = {0.1f, -7.3f, 2},
                           sent = Apply(*ParseCompressor("dithering:inf:5"), SiteOf(Piece::Whole(3)), x);
  EXPECT_EQ(sent[1], x[1]);
}

TEST(Dithering, NormBeyondTheTypeStaysFiniteAndUnbiased) {
  const float largest = std::numeric_limits<float>::max();
  const std::vector<float> x(100, largest / 2);
  Mean mean;
  for (uint64_t step = 0; step < 500; ++step)
    for (const float value : Apply(*ParseCompressor("dithering:1:2"), SiteOf(Piece::Whole(100), step), x)) {
      ASSERT_TRUE(std::isfinite(value));
      mean.Add(value / static_cast<double>(largest));
    }
  EXPECT_NEAR(mean.mean(), 0.5, 5 * mean.error() + 1e-6);
}

TEST(TernGrad, ClipCutsAt2Point5Deviations) {
  std::vector<float> x(100, 1.0f);
  x[7] = -100;
  const float at = static_cast<float>(2.5 * std::sqrt((99 + 1e4) / 100));
  const std::vector<float> sent = Apply(*ParseCompressor("terngrad:clip"), SiteOf(Piece::Whole(100)), x);
  EXPECT_FLOAT_EQ(sent[7], -at);
  for (const float value : sent) EXPECT_TRUE(value == 0 || std::abs(value) == -sent[7]);
  EXPECT_FALSE(ParseCompressor("terngrad:clip")->unbiased());
}

TEST(Dithering, RefusesNormsAndCodesThatCannotBe) {
  const auto qsgd = ParseCompressor("qsgd:7");
  const Site site = SiteOf(Piece::Whole(3));
  const std::vector<std::byte> good = Encode(*qsgd, site, std::vector<float>{1, 2, 3}).bytes;
  for (const float norm : {-1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<std::byte> bytes = good;
    std::memcpy(bytes.data(), &norm, sizeof(norm));
    EXPECT_THROW(Decode<float>(*qsgd, site, bytes), PeerError) << norm;
  }
  std::vector<std::byte> bytes = good;
  bytes[4] = std::byte{0x0f};  // code 15 of 15
  EXPECT_THROW(Decode<float>(*qsgd, site, bytes), PeerError);
}

template <typename T>
class NormOfType : public ::testing::Test {};
using Elements = ::testing::Types<float, double>;
TYPED_TEST_SUITE(NormOfType, Elements);

TYPED_TEST(NormOfType, NeitherOverflowsNorUnderflows) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  const auto norm = [](std::vector<T> x, kernels::Norm p) { return kernels::scalar::NormOf<T>(x, p); };
  EXPECT_EQ(norm({3, -4}, kernels::Norm::kL2), 5);
  EXPECT_EQ(norm({3, -4}, kernels::Norm::kL1), 7);
  EXPECT_EQ(norm({3, -4}, kernels::Norm::kMax), 4);
  const T huge = std::ldexp(T(1), Limits::max_exponent - 3), tiny = Limits::denorm_min();
  EXPECT_EQ(norm({3 * huge, 4 * huge}, kernels::Norm::kL2), 5 * huge);
  EXPECT_EQ(norm({3 * tiny, 4 * tiny}, kernels::Norm::kL2), 5 * tiny);
  EXPECT_EQ(norm({Limits::max(), Limits::max()}, kernels::Norm::kL1), Limits::max());
  EXPECT_EQ(norm({0, 0}, kernels::Norm::kL2), 0);
}

}  // namespace
}  // namespace gradwire
