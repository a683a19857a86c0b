// SPDX-License-Identifier: Apache-2.0
#include "gradwire/piece.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gradwire {
namespace {

std::vector<size_t> Shares(size_t k, size_t numel) {
  std::vector<size_t> shares;
  for (size_t i = 0; i < PieceCount(numel, PieceRule::kFixed); ++i)
    shares.push_back(ShareOf(k, PieceAt(numel, PieceRule::kFixed, i)));
  return shares;
}

size_t Sum(const std::vector<size_t>& shares) {
  size_t sum = 0;
  for (const size_t share : shares) sum += share;
  return sum;
}

TEST(Piece, CutsAtMultiplesOf65536) {
  EXPECT_EQ(kPieceNumel, 65536u);
  for (const auto& [numel, count] : std::vector<std::pair<size_t, size_t>>{
           {0, 0}, {1, 1}, {65535, 1}, {65536, 1}, {65537, 2}, {131072, 2}, {131073, 3}, {11173962, 171}})
    EXPECT_EQ(PieceCount(numel, PieceRule::kFixed), count) << numel;
}

TEST(Piece, TensorRuleDoesNotCut) {
  EXPECT_EQ(PieceCount(0, PieceRule::kTensor), 0u);
  EXPECT_EQ(PieceCount(1000000, PieceRule::kTensor), 1u);
  EXPECT_EQ(PieceAt(1000000, PieceRule::kTensor, 0).numel, 1000000u);
}

RC_GTEST_PROP(Piece, PiecesCoverTheParameterWithoutGap, ()) {
  const size_t numel = *rc::gen::inRange<size_t>(1, 1000000);
  size_t covered = 0;
  for (size_t i = 0; i < PieceCount(numel, PieceRule::kFixed); ++i) {
    const Piece piece = PieceAt(numel, PieceRule::kFixed, i);
    RC_ASSERT(piece.index == i && piece.begin == covered && piece.parameter_numel == numel);
    RC_ASSERT(piece.numel == kPieceNumel || (piece.numel > 0 && piece.begin + piece.numel == numel));
    covered += piece.numel;
  }
  RC_ASSERT(covered == numel);
}

// The shares of any k: exactly k in all, but at least one for each piece and at most its elements.
RC_GTEST_PROP(Piece, SharesAddUp, ()) {
  const size_t numel = *rc::gen::oneOf(rc::gen::inRange<size_t>(1, 600000), rc::gen::inRange<size_t>(65530, 65545),
                                       rc::gen::inRange<size_t>(131070, 131080));
  const size_t k = *rc::gen::oneOf(rc::gen::inRange<size_t>(1, numel + 100), rc::gen::inRange<size_t>(1, 200));
  const std::vector<size_t> shares = Shares(k, numel);
  RC_ASSERT(Sum(shares) == std::max(std::min(k, numel), shares.size()));
  for (size_t i = 0; i < shares.size(); ++i)
    RC_ASSERT(shares[i] >= 1 && shares[i] <= PieceAt(numel, PieceRule::kFixed, i).numel);
}

// Largest remainder: every share is its quota k * size / numel rounded down or up, and what was rounded up had no
// smaller remainder than what was rounded down (of equal ones the first).
RC_GTEST_PROP(Piece, SharesAreByLargestRemainder, ()) {
  const size_t numel = *rc::gen::inRange<size_t>(65537, 600000);
  const size_t pieces = PieceCount(numel, PieceRule::kFixed), k = *rc::gen::inRange<size_t>(pieces, numel);
  std::vector<std::pair<size_t, size_t>> order;  // (numel - remainder, index)
  std::vector<size_t> wanted;
  for (size_t i = 0; i < pieces; ++i) {
    const size_t product = k * PieceAt(numel, PieceRule::kFixed, i).numel;
    wanted.push_back(product / numel);
    order.emplace_back(numel - product % numel, i);
  }
  RC_PRE(wanted.back() > 0);  // else the last piece comes first: LastPieceOfFewElementsStillGetsOne
  std::ranges::sort(order);
  const size_t left = k - Sum(wanted);
  for (size_t j = 0; j < left; ++j) ++wanted[order[j].second];
  RC_ASSERT(Shares(k, numel) == wanted);
}

TEST(Piece, SharesOfKnownCases) {
  EXPECT_EQ(Shares(5, 100), std::vector<size_t>({5}));
  EXPECT_EQ(Shares(500, 100), std::vector<size_t>({100}));
  EXPECT_EQ(Shares(3, 2 * 65536), std::vector<size_t>({2, 1}));  // a tie: the lower index
  EXPECT_EQ(Shares(10, 3 * 65536), std::vector<size_t>({4, 3, 3}));
  EXPECT_EQ(Shares(4, 2 * 65536 + 32768), std::vector<size_t>({2, 1, 1}));  // quotas 1.6, 1.6, 0.8
  EXPECT_EQ(Shares(1, 3 * 65536), std::vector<size_t>({1, 1, 1}));          // fewer than pieces: one each
}

TEST(Piece, LastPieceOfFewElementsStillGetsOne) {  // its quota is 0.0015, and the sum stays k
  EXPECT_EQ(Shares(100, 65537), std::vector<size_t>({99, 1}));
}

TEST(Piece, SharesOfVeryLargeParametersDoNotOverflow) {
  const size_t numel = size_t{1} << 50, k = numel / 2;
  EXPECT_EQ(ShareOf(k, PieceAt(numel, PieceRule::kFixed, 7)), kPieceNumel / 2);
}

TEST(Piece, AMatrixHasARowForEachIndexOfTheFirstDimension) {
  const Piece piece = PieceOf({"conv", {64, 32, 3, 3}}, PieceRule::kMatrix, 0);
  EXPECT_EQ(piece.numel, 64u * 32 * 9);
  EXPECT_EQ(piece.rows, 64u);
  EXPECT_EQ(piece.cols, 32u * 9);
  EXPECT_EQ(PieceOf({"norm", {64}}, PieceRule::kMatrix, 0).rows, 0u) << "a vector has no other shape";
  EXPECT_EQ(PieceOf({"conv", {64, 32}}, PieceRule::kTensor, 0).rows, 0u);
  EXPECT_EQ(PieceCount(0, PieceRule::kMatrix), 0u);
}

TEST(Piece, RulesHaveNames) {
  for (const PieceRule rule : {PieceRule::kFixed, PieceRule::kTensor, PieceRule::kMatrix})
    EXPECT_EQ(FindPieceRule(NameOf(rule)), rule);
  EXPECT_EQ(FindPieceRule("row"), std::nullopt);
}

}  // namespace
}  // namespace gradwire
