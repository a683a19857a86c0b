// SPDX-License-Identifier: Apache-2.0
// tests/golden/payloads.txt holds what every example spec encodes and decodes, so that a change of the bytes is seen
// and meant. Inputs are made from integers: no library's rounding is in them.
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include "support/operators.h"

namespace gradwire {
namespace {

using namespace testing;

/// Multiples of 2^-14 below 8 in magnitude, of all sizes, with zeros and ties among them; exact in float.
template <typename T>
std::vector<T> FromIntegers(size_t numel, uint32_t salt) {
  std::vector<T> values(numel);
  for (uint32_t i = 0; i < numel; ++i) {
    const uint32_t mixed = (i + salt) * 2654435761u;
    const auto whole = static_cast<int32_t>(mixed >> 15) - (1 << 16);
    if (i % 11 != 3) values[i] = static_cast<T>(whole) / static_cast<T>(1u << (14 + mixed % 5));
  }
  return values;
}

/// Quotients of integers, rounded as IEEE 754 says: sums of them are rounded at each addition, so that their order is
/// seen.
template <typename T>
std::vector<T> Quotients(size_t numel, uint32_t salt) {
  std::vector<T> values = FromIntegers<T>(numel, salt);
  for (uint32_t i = 0; i < numel; ++i) values[i] /= static_cast<T>(3 + (i + salt) * 2246822519u % 1000);
  return values;
}

template <typename T>
std::string HashOf(const std::vector<T>& values) {
  return fmt::format("{:016x}", XXH3_64bits(values.data(), values.size() * sizeof(T)));
}

/// The payload in full where it is short.
std::string TextOf(const std::vector<std::byte>& bytes) {
  if (bytes.size() > 48) return HashOf(bytes);
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

/// Encodes scale v + residual_in, as a link does; one line.
template <typename T>
std::string Line(const std::string& spec, size_t numel, std::vector<T> (*input)(size_t, uint32_t), const char* name) {
  const auto compressor = ParseCompressor(spec);
  const Site site = SiteOf(Piece::Whole(numel));
  const auto encoded = Encode<T>(*compressor, site, input(numel, 7), T(0.75), input(numel, 1009));
  return fmt::format("{} f{} {}{}: {} bytes {}, residual {}, decoded {}\n", spec, 8 * sizeof(T), numel, name,
                     encoded.bytes.size(), TextOf(encoded.bytes), HashOf(encoded.residual_out),
                     HashOf(Decode<T>(*compressor, site, encoded.bytes, T(0.5))));
}

TEST(Golden, EverySpecEncodesAndDecodesTheBitsOfTheFile) {
  std::string found;
  for (const std::string& spec : ExampleSpecs())
    for (const size_t numel : {5, 3000, 65536}) {
      found += Line<float>(spec, numel, FromIntegers<float>, "") + Line<double>(spec, numel, FromIntegers<double>, "");
      if (numel == 3000)
        found += Line<float>(spec, numel, Quotients<float>, " quotients") +
                 Line<double>(spec, numel, Quotients<double>, " quotients");
    }
  std::ifstream file(GRADWIRE_SOURCE_DIR "/tests/golden/payloads.txt");
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  const std::string copy = ::testing::TempDir() + "payloads.txt";
  if (found != expected) std::ofstream(copy) << found;
  EXPECT_TRUE(found == expected)
      << "payloads changed: see diff tests/golden/payloads.txt " << copy
      << "; where it is meant, src/wire/FORMAT.md gets a new version and the copy takes the place of the file";
}

}  // namespace
}  // namespace gradwire
