// SPDX-License-Identifier: Apache-2.0
// Bytes that no encoder made are refused with the worker's name or taken as some vector; nothing else happens. Under
// AddressSanitizer and UndefinedBehaviorSanitizer this also means: no read beyond the payload.
#include <set>

#include <gtest/gtest.h>

#include "support/decode_laws.h"
#include "support/field_laws.h"

namespace gradwire {
namespace {

using namespace testing;

class ForeignPayload : public ::testing::TestWithParam<std::string> {
 protected:
  template <typename T>
  Verdict DecodeBytes(const Piece& piece, std::span<const std::byte> bytes) const {
    return DecodeForeign<T>(*compressor_, SiteOf(piece), bytes);
  }
  template <typename T>
  std::vector<std::byte> Genuine(const Piece& piece) const {
    Site site = SiteOf(piece);
    site.worker = 2;  // whom DecodeForeign blames
    return Encode(*compressor_, site, Gaussian<T>(piece.numel)).bytes;
  }

  /// `check(zero of type T, piece)` for both types and pieces of several sizes.
  template <typename Check>
  void ForPieces(Check&& check) {
    for (const size_t numel : {0, 1, 7, 1025, 65536, 65537}) {
      check(float{}, Piece::Whole(numel));
      check(double{}, Piece::Whole(numel));
    }
  }

  const std::shared_ptr<const Compressor> compressor_ = ParseCompressor(GetParam());
};

TEST_P(ForeignPayload, IsRefusedAtEveryOtherSize) {
  ForPieces([&](auto zero, const Piece& piece) {
    using T = decltype(zero);
    const std::vector<std::byte> genuine = Genuine<T>(piece);
    const size_t size = genuine.size();
    ASSERT_EQ(DecodeBytes<T>(piece, genuine), Verdict::kTaken);
    std::set<size_t> sizes = {size / 2, size + 1, size + 2, size + 4, size + 8, size + 16, 2 * size + 1};
    for (size_t short_by = 1; short_by <= std::min<size_t>(size, 20); ++short_by)
      sizes.insert({size - short_by, short_by});
    sizes.insert(0);
    sizes.erase(size);
    for (const size_t other : sizes) {
      std::vector<std::byte> bytes = genuine;
      bytes.resize(other);
      const Verdict verdict = DecodeBytes<T>(piece, bytes);
      const bool may_fit = compressor_->variable() && other <= compressor_->Bytes(piece, kDtypeOf<T>);
      EXPECT_TRUE(verdict == Verdict::kRefused || (may_fit && verdict == Verdict::kTaken))
          << other << " bytes instead of " << size;
    }
  });
}

TEST_P(ForeignPayload, OfRandomBytesBreaksNothing) {
  Philox random(2024, Purpose::kSample);
  for (int round = 0; round < 1000; ++round) {
    const Piece piece = Piece::Whole(1 + random.Below(2000));
    std::vector<std::byte> bytes(compressor_->Bytes(piece, round % 2 ? Dtype::kF32 : Dtype::kF64));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Next());
    const Verdict verdict = round % 2 ? DecodeBytes<float>(piece, bytes) : DecodeBytes<double>(piece, bytes);
    ASSERT_NE(verdict, Verdict::kBroken) << "round " << round;
  }
}

TEST_P(ForeignPayload, WithOneBitFlippedBreaksNothing) {
  for (const size_t numel : {1, 7, 100}) {
    const Piece piece = Piece::Whole(numel);
    std::vector<std::byte> bytes = Genuine<float>(piece);
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      const std::byte mask{static_cast<unsigned char>(1u << bit % 8)};
      bytes[bit / 8] ^= mask;
      ASSERT_NE(DecodeBytes<float>(piece, bytes), Verdict::kBroken) << "bit " << bit;
      bytes[bit / 8] ^= mask;
    }
  }
}

TEST_P(ForeignPayload, WithAnImpossibleScaleIsRefused) {
  for (const size_t numel : {7, 300, 2050}) {
    const Site site = SiteOf(Piece::Whole(numel));
    EXPECT_EQ(ScalesAreChecked<float>(*compressor_, {"", site, Gaussian<float>(numel)}), "") << numel;
    EXPECT_EQ(ScalesAreChecked<double>(*compressor_, {"", site, Gaussian<double>(numel)}), "") << numel;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryOperator, ForeignPayload, ::testing::ValuesIn(ExampleSpecs()),
                         [](const auto& info) { return NameOfSpec(info.param); });

}  // namespace
}  // namespace gradwire
