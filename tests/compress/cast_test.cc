// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/operators.h"

namespace gradwire {
namespace {

using namespace testing;

/// A format: the largest magnitude of a block is brought below 2^top; relative error of elements that stay normal.
struct Format {
  const char* spec;
  int top;
  double error;
  double normal;  ///< magnitudes from here up, relative to the largest, are rounded relatively
};

class Cast : public ::testing::TestWithParam<Format> {
 protected:
  template <typename T>
  Encoded<T> EncodeCast(const std::vector<T>& x) const {
    return Encode(*cast_, SiteOf(Piece::Whole(x.size())), x);
  }
  template <typename T>
  std::vector<T> Sent(const std::vector<T>& x) const {
    return Apply(*cast_, SiteOf(Piece::Whole(x.size())), x);
  }
  static int32_t ExponentIn(const std::vector<std::byte>& bytes) {
    int32_t exponent;
    std::memcpy(&exponent, bytes.data(), sizeof(exponent));
    return exponent;
  }

  const std::shared_ptr<const Compressor> cast_ = ParseCompressor(GetParam().spec);
};

TEST_P(Cast, BringsTheLargestToTheTopOfTheFormat) {  // 2^exponent max|x| in [2^(top - 1), 2^top)
  for (const double largest : {1.0, 1.5, 1.9999, 2.0, 1e-30, 1e30}) {
    const std::vector<float> x = {0.0f, static_cast<float>(-largest), 0.0f};
    const double scaled = std::ldexp(std::abs(static_cast<double>(x[1])), ExponentIn(EncodeCast(x).bytes));
    EXPECT_TRUE(scaled >= std::ldexp(1, GetParam().top - 1) && scaled < std::ldexp(1, GetParam().top)) << largest;
  }
  EXPECT_EQ(ExponentIn(EncodeCast(std::vector<float>(3)).bytes), 0);
}

TEST_P(Cast, IsExactWhereTheFormatIs) {  // 8 significant bits, in both formats
  const std::vector<float> x = {1, -1.5, 0.75, 255, -1.0f / 64, 0, -0.0f};
  const Encoded<float> encoded = EncodeCast(x);
  EXPECT_EQ(Sent(x), x);
  EXPECT_TRUE(std::ranges::all_of(encoded.residual_out, [](float residual_out) { return residual_out == 0; }));
}

TEST_P(Cast, APowerOfTwoInTheVectorMovesOnlyTheExponent) {
  const std::vector<double> x = Gaussian<double>(100);
  const std::vector<std::byte> bytes = EncodeCast(x).bytes;
  for (const int power : {-900, -100, 1, 100, 900}) {
    std::vector<double> scaled = x;
    for (double& value : scaled) value = std::ldexp(value, power);
    const std::vector<std::byte> other = EncodeCast(scaled).bytes;
    EXPECT_EQ(ExponentIn(other), ExponentIn(bytes) - power);
    EXPECT_TRUE(std::equal(bytes.begin() + 4, bytes.end(), other.begin() + 4)) << "times 2^" << power;
  }
}

TEST_P(Cast, RoundsRelativelyAtAnyMagnitude) {  // neither 1e-40 vanishes nor 3e38 overflows, as a plain cast would
  for (const double magnitude : {1e-300, 1e-40, 1.0, 3e38, 1e300}) {
    std::vector<double> x = Gaussian<double>(1000);
    for (double& value : x) value *= magnitude;
    const std::vector<double> sent = Sent(x);
    const double largest = std::abs(*std::ranges::max_element(x, {}, [](double value) { return std::abs(value); }));
    for (size_t i = 0; i < x.size(); ++i) {
      const double scale = std::max(std::abs(x[i]), GetParam().normal * largest);
      EXPECT_LE(std::abs(sent[i] - x[i]), GetParam().error * (1 + 1e-6) * scale) << x[i];
    }
  }
}

template <typename T>
void ExpectFiniteAtTheEdge(const std::function<std::vector<T>(const std::vector<T>&)>& sent, double error) {
  const T largest = std::numeric_limits<T>::max();
  const std::vector<T> x = {largest, -largest, std::nextafter(largest, T(0))};
  for (size_t i = 0; i < x.size(); ++i) EXPECT_LE(std::abs(sent(x)[i] / x[i] - 1), error);
}

TEST_P(Cast, LargestFiniteNumberStaysFinite) {  // to nearest would be 2^128, or 2^1024
  ExpectFiniteAtTheEdge<float>([&](const auto& x) { return Sent(x); }, GetParam().error);
  ExpectFiniteAtTheEdge<double>([&](const auto& x) { return Sent(x); }, GetParam().error);
}

TEST_P(Cast, CostsTwoBytesAnElementAndAnExponentABlock) {
  EXPECT_EQ(cast_->Bytes(Piece::Whole(1000), Dtype::kF32), 4u + 2000);
  EXPECT_EQ(cast_->Bytes(Piece::Whole(1000), Dtype::kF64), 4u + 2000);
  EXPECT_EQ(cast_->Bytes(Piece::Whole(1025), Dtype::kF64), 8u + 2050);
  EXPECT_EQ(cast_->Bytes(Piece::Whole(0), Dtype::kF32), 0u);
}

TEST_P(Cast, RefusesNonFiniteCodesAndImpossibleExponents) {
  const auto patched = [&](size_t at, auto value) {
    std::vector<std::byte> bytes = EncodeCast(std::vector<float>{1, 2}).bytes;
    std::memcpy(bytes.data() + at, &value, sizeof(value));
    return bytes;
  };
  const Site site = SiteOf(Piece::Whole(2));
  EXPECT_THROW(Decode<float>(*cast_, site, patched(6, uint16_t{0x7f80})), PeerError);  // bf16's infinity, a NaN of fp16
  EXPECT_THROW(Decode<float>(*cast_, site, patched(6, uint16_t{0xffff})), PeerError);
  EXPECT_THROW(Decode<float>(*cast_, site, patched(0, int32_t{1101})), PeerError);
  EXPECT_THROW(Decode<float>(*cast_, site, patched(0, std::numeric_limits<int32_t>::min())), PeerError);
}

INSTANTIATE_TEST_SUITE_P(Formats, Cast,
                         ::testing::Values(Format{"fp16", 15, 0x1p-11, 0x1p-28}, Format{"bf16", 1, 0x1p-8, 0x1p-126}),
                         [](const auto& info) { return info.param.spec; });

}  // namespace
}  // namespace gradwire
