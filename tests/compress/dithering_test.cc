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
