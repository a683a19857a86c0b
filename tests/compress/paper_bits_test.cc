// SPDX-License-Identifier: Apache-2.0
// What papers count of a payload: by hand where their tables say it, and for every operator beside what is sent.
#include <gtest/gtest.h>

#include "gradwire/compressor.h"
#include "kernels/codes.h"
#include "support/vectors.h"

namespace gradwire {
namespace {

struct Counted {
  uint64_t paper = 0, sent = 0;  ///< bits
};

template <typename T>
Counted Count(std::string_view spec, std::string_view rule, const std::vector<T>& x, uint64_t step = 0) {
  const auto op = ParseCompressor(spec);
  const Piece piece = Piece::Whole(x.size());
  std::vector<std::byte> payload(op->Bytes(piece, kDtypeOf<T>));
  Lane lane;
  const EncodeResult result =
      op->Encode({1, Purpose::kCompress, 0, step, 0, piece}, lane, std::span<const T>(x), T{1}, {}, {}, payload);
  payload.resize(result.bytes);
  return {op->PaperBits(*FindBitRule(rule), piece, kDtypeOf<T>, payload), 8 * result.bytes};
}

uint64_t Paper(std::string_view spec, std::string_view rule = "paper", size_t d = 1000) {
  return Count<double>(spec, rule, testing::Gaussian<double>(d)).paper;
}

/// d = 1000: a position takes 10 bits, and b = 32.
TEST(PaperBits, AreThoseOfThePapersTable) {
  EXPECT_EQ(Paper("identity"), 32000u);
  EXPECT_EQ(Paper("clip:1"), 32000u);
  EXPECT_EQ(Paper("sign:plain"), 1000u);
  EXPECT_EQ(Paper("sign:exact"), 32u + 1000);
  EXPECT_EQ(Paper("ssign"), 1000u);
  EXPECT_EQ(Paper("ssign:norm"), 32u + 1000);
  EXPECT_EQ(Paper("topk:5"), 5u * (32 + 10));
  EXPECT_EQ(Paper("coins:1000"), 1000u * (32 + 10));  // all, of which the positions would travel
  EXPECT_EQ(Paper("randk:5"), 5u * 32);
  EXPECT_EQ(Paper("randseqk:5"), 5u * 32);
  EXPECT_EQ(Paper("topk:5:counted"), 5u * (32 + 10) + 10);
  EXPECT_EQ(Paper("rotate(topk:5)"), 5u * (32 + 10));
  EXPECT_EQ(Paper("randk:5:sent"), 5u * (32 + 10));
  EXPECT_EQ(Paper("nu_rand1"), 32u + 1 + 10);
  EXPECT_EQ(Paper("qsgd:7"), 32u + 1000 * (1 + 3));
  EXPECT_EQ(Paper("qsgd:7:block=256"), 4u * 32 + 1000 * (1 + 3));
  EXPECT_EQ(Paper("dithering:inf:4"), 32u + 1000 * (1 + 3));
  EXPECT_EQ(Paper("terngrad"), 32u + 2 * 1000);
  EXPECT_EQ(Paper("natural_dithering:2:7"), 32u + 1000 * (1 + 3));
  EXPECT_EQ(Paper("natural"), 9000u);
  EXPECT_EQ(Paper("natural", "paper64"), 12000u);
  EXPECT_EQ(Paper("identity", "paper64"), 64000u);
  EXPECT_EQ(Paper("induced(topk:5,randk:5)"), 5u * 42 + 5 * 32);
  EXPECT_EQ(Paper("then(topk:5,sign)"), 5u * 42 + 32 + 1000);
  EXPECT_EQ(Paper("scaled(topk:5,0.5)"), 5u * 42);
  EXPECT_EQ(Paper("compose(unscale(qsgd:7),topk:5)"), 32u + 1000 * 4);
}

TEST(PaperBits, HaveANormForEachBlockThatHasOne) {  // of 1,024 elements
  EXPECT_EQ(Paper("sign", "paper", 3000), 3u * 32 + 3000);
  EXPECT_EQ(Paper("qsgd:7", "paper", 3000), 3u * 32 + 3000 * 4);
}

/// 4 of 1000 elements are 1 or -1: all of them are kept, and rounded to themselves.
TEST(PaperBits, CountWhatThePayloadHoldsWhereThatVaries) {
  std::vector<double> x(1000);
  x[3] = x[500] = 1, x[700] = x[999] = -1;
  EXPECT_EQ(Count("threshold:0.5", "paper", x).paper, 4u * (32 + 10) + 10);
  EXPECT_EQ(Count("adaptive:0.5", "paper", x).paper, 4u * (32 + 10) + 10);
  EXPECT_EQ(Count("nu_randk:4", "paper", x).paper, 4u * (32 + 10));
  EXPECT_EQ(Count("terngrad", "ef_sigma_k", x).paper, 64u + 2 * 4);
  // The norm is 2, and each level 1. Distances 4, 497, 200 and 299 take 6, 16, 14 and 16 bits, sign and level 1 each.
  EXPECT_EQ(Count("steps:2", "paper", x).paper, 32u + 6 + 16 + 14 + 16 + 4 * 2);
  EXPECT_EQ(Count("smooth(steps:2)", "paper", x).paper, 92u);
  uint64_t least = ~uint64_t{0}, most = 0;
  for (uint64_t step = 0; step < 40; ++step) {
    const uint64_t bits = Count("bernoulli:0.5", "paper", x, step).paper;
    least = std::min(least, bits), most = std::max(most, bits);
  }
  EXPECT_EQ(least, 1u);
  EXPECT_EQ(most, 1u + 32000);
}

TEST(PaperBits, AuthorsCountOtherwise) {
  EXPECT_EQ(Paper("topk:5", "ef_sigma_k"), 5u * 64);
  EXPECT_EQ(Paper("identity", "ef_sigma_k"), 64000u);
  EXPECT_EQ(Paper("topk:5", "levels"), 5u * 32);
  EXPECT_EQ(Paper("terngrad", "levels"), 32u + 1000);  // a ternary element as one bit
  EXPECT_EQ(Paper("qsgd:8", "levels"), 32u + 1000 * (1 + 3));
  EXPECT_EQ(FindBitRule("ours"), nullptr);
}

class PaperBitsOf : public ::testing::TestWithParam<std::string> {
 protected:
  /// What is sent is about what papers count with numbers of the same width, but for whole bytes, a count of 32 bits
  /// and a byte or exponent a block, and never half of it: codes are no longer than theirs, nor much shorter.
  template <typename T>
  void AreNearTheBytes(std::string_view rule) {
    for (const size_t n : {1, 2, 20, 1000, 1500, 5000})
      for (const auto& [name, x] : testing::NastyVectors<T>(n)) {
        const Counted bits = Count<T>(GetParam(), rule, x);
        EXPECT_LE(bits.paper == 0 ? bits.sent : 0, 32u) << n << " " << name;  // that nothing was kept
        EXPECT_LE(bits.sent, bits.paper + 128 + 32 * kernels::BlocksOf(n)) << n << " " << name;
        EXPECT_LE(bits.paper, 2 * bits.sent + 1) << n << " " << name;
      }
  }
};

TEST_P(PaperBitsOf, AreNearTheBytes) {
  AreNearTheBytes<float>("paper");
  AreNearTheBytes<double>("paper64");
}

TEST_P(PaperBitsOf, OfNothingAreNone) {
  for (const BitRule& rule : BitRules()) EXPECT_EQ(Count<float>(GetParam(), rule.name, {}).paper, 0u) << rule.name;
}

TEST_P(PaperBitsOf, OtherRulesLeaveOutWhatTheySay) {  // numbers as wide, and less beside them
  const std::vector<float> x = testing::Gaussian<float>(3000);
  EXPECT_LE(Count(GetParam(), "levels", x).paper, Count(GetParam(), "paper", x).paper);
  EXPECT_LE(Count(GetParam(), "ef_sigma_k", x).paper, Count(GetParam(), "paper64", x).paper);
}

std::vector<std::string> Examples() {
  std::vector<std::string> specs;
  for (const CompressorInfo& info : Compressors())
    specs.insert(specs.end(), info.examples.begin(), info.examples.end());
  return specs;
}

INSTANTIATE_TEST_SUITE_P(, PaperBitsOf, ::testing::ValuesIn(Examples()));

}  // namespace
}  // namespace gradwire
