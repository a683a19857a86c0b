// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

std::vector<double> Sent(const char* spec, size_t n, uint64_t step, uint32_t worker = 3) {
  std::vector<double> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = static_cast<double>(i + 1);
  Site site = SiteOf(Piece::Whole(n), step);
  site.worker = worker;
  return Apply(*ParseCompressor(spec), site, x);
}

TEST(RandSeqK, KeepsConsecutiveElementsAroundTheEnd) {  // n = 10, k = 4: times 5/2
  bool goes_around = false;
  for (uint64_t step = 0; step < 100; ++step) {
    const std::vector<double> sent = Sent("randseqk:4", 10, step);
    size_t starts = 0;
    for (size_t i = 0; i < 10; ++i) {
      EXPECT_TRUE(sent[i] == 0 || sent[i] == 2.5 * static_cast<double>(i + 1));
      starts += sent[i] != 0 && sent[(i + 9) % 10] == 0;
    }
    EXPECT_EQ(std::ranges::count(sent, 0.0), 6);
    EXPECT_EQ(starts, 1u) << "one run";
    goes_around |= sent[9] != 0 && sent[0] != 0;
  }
  EXPECT_TRUE(goes_around);
}

TEST(RandSeqK, StartsAnywhereAlikeOften) {
  constexpr int kDraws = 20000;
  std::vector<int> kept(7);
  for (uint64_t step = 0; step < kDraws; ++step) {
    const std::vector<double> sent = Sent("randseqk:2", 7, step);
    for (size_t i = 0; i < 7; ++i) kept[i] += sent[i] != 0;
  }
  const double share = 2.0 / 7;
  for (const int count : kept) EXPECT_NEAR(count, kDraws * share, 5 * std::sqrt(kDraws * share * (1 - share)));
}

TEST(RandSeqK, VarianceIsExactlyOmega) {  // (d/k - 1) ||x||^2 for every x
  const Mean ratio = MeasuredRatio("randseqk:2", Sample());
  EXPECT_NEAR(ratio.mean(), 2, 5 * ratio.error());
  EXPECT_EQ(ParseCompressor("randseqk:2")->omega(Piece::Whole(6)), 2);
  EXPECT_EQ(ParseCompressor("randseqk:4")->delta(Piece::Whole(6)), 0.5);
  EXPECT_EQ(ParseCompressor("randseqk:2")->delta(Piece::Whole(6)), std::nullopt);
}

TEST(RandSeqK, WorkersDrawTheirOwnStarts) { EXPECT_NE(Sent("randseqk:5", 1000, 1, 0), Sent("randseqk:5", 1000, 1, 1)); }

TEST(RandSeqK, SendsValuesAlone) {
  EXPECT_EQ(ParseCompressor("randseqk:10")->Bytes(Piece::Whole(65536), Dtype::kF32), 40u);
  EXPECT_EQ(ParseCompressor("randseqk:1%")->Bytes(Piece::Whole(65536), Dtype::kF64), 655u * 8);
}

}  // namespace
}  // namespace gradwire
