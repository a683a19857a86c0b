// SPDX-License-Identifier: Apache-2.0
// The contract of include/gradwire/compressor.h, held by every operator in the list: each example spec of
// Compressors(), in float and double, over every vector, size and cut of support/. A new operator is taken up by
// itself.
#include "gradwire/compressor.h"

#include <gtest/gtest.h>

#include "support/decode_laws.h"
#include "support/encode_laws.h"
#include "support/measured_laws.h"

namespace gradwire {
namespace {

using namespace testing;

class CompressorLaws : public ::testing::TestWithParam<std::tuple<std::string, Dtype>> {
 protected:
  /// `law(compressor, case)` for each case of the parameter's type, until one is broken.
  template <typename Law>
  void Holds(Law&& law) {
    if (std::get<1>(GetParam()) == Dtype::kF32)
      HoldsFor<float>(law);
    else
      HoldsFor<double>(law);
  }

  const std::string spec_ = std::get<0>(GetParam());
  const std::shared_ptr<const Compressor> compressor_ = ParseCompressor(spec_);

 private:
  template <typename T, typename Law>
  void HoldsFor(Law&& law) {
    for (const PieceCase<T>& c : Cases<T>()) {
      // Beyond T's largest number lies what it scales up, or adds up.
      const bool scales_up = compressor_->omega(c.site.piece).value_or(0) > 0 || spec_.starts_with("then(") ||
                             spec_.starts_with("rotate(") ||
                             compressor_->sees_shape();  // what it leaves out may be twice as large
      if (scales_up && c.name.starts_with("largest")) continue;
      const std::string broken = law(c);
      ASSERT_EQ(broken, "") << spec_ << ": " << c.name;
    }
  }
};

TEST_P(CompressorLaws, SpecPrintsBack) { EXPECT_EQ(compressor_->spec(), spec_); }
TEST_P(CompressorLaws, ZeroStaysZero) {
  Holds([&](const auto& c) { return ZeroStaysZero(*compressor_, c); });
}
TEST_P(CompressorLaws, BytesAreExact) {
  Holds([&](const auto& c) { return BytesAreExact(*compressor_, c); });
}
TEST_P(CompressorLaws, NothingIsLost) {
  Holds([&](const auto& c) { return NothingIsLost(*compressor_, c); });
}
TEST_P(CompressorLaws, EncodesTheScaledSum) {
  Holds([&](const auto& c) { return EncodesTheScaledSum(*compressor_, c); });
}
TEST_P(CompressorLaws, MemoryMayAlias) {
  Holds([&](const auto& c) { return MemoryMayAlias(*compressor_, c); });
}
TEST_P(CompressorLaws, RefuseWhatIsNotFinite) {
  Holds([&](const auto& c) { return RefusesWhatIsNotFinite(*compressor_, c); });
}
TEST_P(CompressorLaws, PayloadsAddUpInOrder) {
  Holds([&](const auto& c) { return PayloadsAddUpInOrder(*compressor_, c); });
}
TEST_P(CompressorLaws, WeightsMultiply) {
  Holds([&](const auto& c) { return WeightsMultiply(*compressor_, c); });
}
TEST_P(CompressorLaws, DeltaHolds) {
  Holds([&](const auto& c) { return DeltaHolds(*compressor_, c); });
}
TEST_P(CompressorLaws, OmegaHolds) {
  Holds([&](const auto& c) { return OmegaHolds(*compressor_, c); });
}
TEST_P(CompressorLaws, MeanIsTheVector) {
  Holds([&](const auto& c) { return MeanIsTheVector(*compressor_, c); });
}
TEST_P(CompressorLaws, SumsOnTheWay) {
  Holds([&](const auto& c) { return SumsOnTheWay(*compressor_, c); });
}

INSTANTIATE_TEST_SUITE_P(EveryOperator, CompressorLaws,
                         ::testing::Combine(::testing::ValuesIn(ExampleSpecs()),
                                            ::testing::Values(Dtype::kF32, Dtype::kF64)),
                         [](const auto& info) {
                           const bool f32 = std::get<1>(info.param) == Dtype::kF32;
                           return NameOfSpec(std::get<0>(info.param)) + (f32 ? "_float" : "_double");
                         });

TEST(Compressors, EachIsListedWithAnExampleOfEachFormOfItsSyntax) {
  ASSERT_FALSE(Compressors().empty());
  for (const CompressorInfo& info : Compressors()) {
    EXPECT_FALSE(info.syntax.empty() || info.summary.empty());
    EXPECT_FALSE(info.examples.empty()) << info.syntax;
    for (const std::string_view example : info.examples)
      EXPECT_EQ(example.substr(0, example.find_first_of(":(")),
                info.syntax.substr(0, info.syntax.find_first_of(":([ ")))
          << example;
  }
}

}  // namespace
}  // namespace gradwire
