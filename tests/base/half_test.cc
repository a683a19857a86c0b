// SPDX-License-Identifier: Apache-2.0
#include "base/half.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"

namespace gradwire {
namespace {

/// A 16-bit format, and its magnitudes by code: a reference that knows no bit tricks. Code `infinity` stands for the
/// value that the next exponent would have, where rounding to it begins half a step before.
struct Format {
  uint16_t (*to)(float);
  float (*from)(uint16_t);
  uint16_t infinity;
  std::vector<double> magnitudes;
};

/// Magnitudes of an IEEE format from its definition: 2^(e - bias) (1 + f), and 2^(1 - bias) f for e = 0.
std::vector<double> Magnitudes(int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  std::vector<double> magnitudes;
  for (int e = 0; e < (1 << exponent_bits) - 1; ++e)
    for (int f = 0; f < 1 << fraction_bits; ++f) {
      const double fraction = std::ldexp(f, -fraction_bits);
      magnitudes.push_back(e ? std::ldexp(1 + fraction, e - bias) : std::ldexp(fraction, 1 - bias));
    }
  magnitudes.push_back(std::ldexp(1, bias + 1));
  return magnitudes;
}

uint16_t Nearest(const Format& format, float value) {
  const double magnitude = std::abs(static_cast<double>(value));
  const auto above = std::ranges::lower_bound(format.magnitudes, magnitude);
  size_t code = static_cast<size_t>(above - format.magnitudes.begin());
  if (above == format.magnitudes.end())
    code = format.infinity;
  else if (code > 0) {
    const double up = *above - magnitude, down = magnitude - *(above - 1);
    if (down < up || (down == up && code % 2 == 1)) --code;
  }
  return static_cast<uint16_t>(code | (std::signbit(value) ? 0x8000 : 0));
}

class Half : public ::testing::TestWithParam<int> {
 protected:
  const Format format_ = GetParam() == 16 ? Format{ToHalf, FromHalf, 0x7c00, Magnitudes(5, 10)}
                                          : Format{ToBfloat, FromBfloat, 0x7f80, Magnitudes(8, 7)};
};

TEST_P(Half, EveryCodeIsItsValueAndComesBack) {
  ASSERT_EQ(format_.magnitudes.size(), format_.infinity + 1u);
  for (uint32_t code = 0; code < 65536; ++code) {
    const uint32_t magnitude = code & 0x7fff;
    const float value = format_.from(static_cast<uint16_t>(code));
    ASSERT_EQ(std::signbit(value), code >= 0x8000) << code;
    if (magnitude > format_.infinity) {
      ASSERT_TRUE(std::isnan(value)) << code;
      continue;
    }
    ASSERT_EQ(format_.to(value), code);
    if (magnitude == format_.infinity)
      ASSERT_TRUE(std::isinf(value));
    else
      ASSERT_EQ(std::abs(value), format_.magnitudes[magnitude]) << code;
  }
}

TEST_P(Half, RoundsToNearestTiesToEven) {
  for (size_t code = 0; code < format_.infinity; ++code) {  // around the middle between each two neighbours
    const float middle = static_cast<float>((format_.magnitudes[code] + format_.magnitudes[code + 1]) / 2);
    for (const float at : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e38f)})
      for (const float value : {at, -at}) ASSERT_EQ(format_.to(value), Nearest(format_, value)) << value;
  }
}

TEST_P(Half, RoundsAnyFloatAsTheReference) {
  Philox random(3, Purpose::kSample);
  for (int i = 0; i < 300000; ++i) {
    const float value = std::bit_cast<float>(random.Next());
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(format_.to(value), Nearest(format_, value)) << value;
  }
  for (const float value :
       {std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min(), 65519.996f, 65520.0f})
    EXPECT_EQ(format_.to(value), Nearest(format_, value)) << value;
}

INSTANTIATE_TEST_SUITE_P(Formats, Half, ::testing::Values(16, 8),
                         [](const auto& info) { return info.param == 16 ? "fp16" : "bf16"; });

}  // namespace
}  // namespace gradwire
