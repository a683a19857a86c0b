// SPDX-License-Identifier: Apache-2.0
// src/wire/FORMAT.md suffices to write what operators that round at random send, byte for byte.
#include <gtest/gtest.h>

#include "support/operators.h"
#include "wire/format_encoders.h"

namespace gradwire {
namespace {

using namespace testing;

template <typename T>
void ExpectDocumented(const std::string& spec, const std::vector<T>& u, const std::string& what) {
  const Site site = {0x1234567887654321, Purpose::kCompress, 2, (uint64_t{1} << 33) + 5, 7, Piece::Whole(u.size())};
  const format::Coded coded{spec, {u.size()}, {site.seed, site.worker, site.step, site.parameter, 0}};
  const format::Message written = format::EncodePiece<T>(u, coded);
  const std::vector<std::byte> bytes = Encode(*ParseCompressor(spec), site, u).bytes;
  const auto* begin = reinterpret_cast<const unsigned char*>(bytes.data());
  ASSERT_EQ(written.size(), bytes.size()) << spec << ", " << what;
  const auto differ = std::mismatch(written.begin(), written.end(), begin);
  EXPECT_TRUE(differ.first == written.end())
      << spec << ", " << what << ": byte " << differ.first - written.begin() << " of " << written.size();
}

class FormatEncoder : public ::testing::TestWithParam<std::string> {
 protected:
  template <typename T>
  void ExpectAll() const {
    for (const size_t n : {0, 1, 7, 1000, 1024, 1025, 5000, 70000}) {
      ExpectDocumented(GetParam(), Gaussian<T>(n), "gaussian " + std::to_string(n));
      for (const int power : {-80, 80, -600, 600}) {  // where c is not 1
        const bool squares = GetParam().find("inf") == std::string::npos && GetParam() != "natural";
        if (std::abs(power) > 500 && (sizeof(T) == 4 || squares)) continue;  // beyond T, or its squares beyond binary64
        std::vector<T> u = Gaussian<T>(n);
        for (T& x : u) x = std::ldexp(x, power);
        ExpectDocumented(GetParam(), u, "gaussian times 2^" + std::to_string(power));
      }
      ExpectDocumented(GetParam(), std::vector<T>(n), "zeros " + std::to_string(n));
      ExpectDocumented(GetParam(), std::vector<T>(n, T(-3)), "equal " + std::to_string(n));
    }
  }
};

TEST_P(FormatEncoder, WritesThePayload) {
  ExpectAll<float>();
  ExpectAll<double>();
}

INSTANTIATE_TEST_SUITE_P(RandomRounding, FormatEncoder,
                         ::testing::Values("qsgd:7", "qsgd:127", "qsgd:300", "dithering:inf:7", "dithering:1:4",
                                           "dithering:2:1", "terngrad", "terngrad:clip", "qsgd:7:block=128",
                                           "dithering:1:4:block=32", "terngrad:block=256", "terngrad:clip:block=512",
                                           "natural", "natural_dithering:2:7", "natural_dithering:inf:64", "ssign",
                                           "ssign:norm"),
                         [](const auto& info) { return NameOfSpec(info.param); });

}  // namespace
}  // namespace gradwire
