// SPDX-License-Identifier: Apache-2.0
// The laws of encoding for vectors that nobody has thought of: any bits that are finite, any size, step and place.
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "support/encode_laws.h"

namespace gradwire::testing {
namespace {

float FromBits(uint32_t bits) { return std::bit_cast<float>(bits); }
double FromBits(uint64_t bits) { return std::bit_cast<double>(bits); }

/// Of all magnitudes alike, denormals among them; what is no number becomes 0. Divided by 4,096: an unbiased operator
/// multiplies what it keeps (by d/k, 1/p, a norm), which overflows where elements are near the largest number.
template <typename T, typename Bits>
std::vector<T> AnyFinite(const std::vector<Bits>& bits) {
  std::vector<T> values;
  for (const Bits b : bits) values.push_back(std::isfinite(FromBits(b)) ? FromBits(b) / 4096 : T{0});
  return values;
}

template <typename T, typename Bits>
PieceCase<T> AnyCase() {
  const auto numel = *rc::gen::inRange<size_t>(0, 1500);
  const auto bits = *rc::gen::container<std::vector<Bits>>(numel, rc::gen::noShrink(rc::gen::arbitrary<Bits>()));
  return {"any", SiteOf(Piece::Whole(numel), *rc::gen::inRange<uint64_t>(0, 1 << 20)), AnyFinite<T, Bits>(bits)};
}

template <typename T>
void Hold(const Compressor& compressor, const PieceCase<T>& c) {
  for (const auto& [law, broken] : {std::pair{"nothing is lost", NothingIsLost<T>(compressor, c)},
                                    {"bytes are exact", BytesAreExact<T>(compressor, c)},
                                    {"zero stays zero", ZeroStaysZero<T>(compressor, c)},
                                    {"memory may alias", MemoryMayAlias<T>(compressor, c)}})
    if (!broken.empty()) RC_FAIL(std::string(law) + ": " + broken);
}

class AnyVector : public ::testing::TestWithParam<std::string> {};

TEST_P(AnyVector, KeepsTheLawsOfEncoding) {
  const auto compressor = ParseCompressor(GetParam());
  EXPECT_TRUE(rc::check("float", [&] { Hold(*compressor, AnyCase<float, uint32_t>()); }));
  EXPECT_TRUE(rc::check("double", [&] { Hold(*compressor, AnyCase<double, uint64_t>()); }));
}

INSTANTIATE_TEST_SUITE_P(EveryOperator, AnyVector, ::testing::ValuesIn(ExampleSpecs()),
                         [](const auto& info) { return NameOfSpec(info.param); });

}  // namespace
}  // namespace gradwire::testing
