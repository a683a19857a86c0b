// SPDX-License-Identifier: Apache-2.0
#include "gradwire/piece.h"

#include <vector>

#include <gtest/gtest.h>

#include "support/shares.h"

namespace gradwire {
namespace {

using testing::Shares;

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

TEST(Piece, ASymmetricMatrixIsNeverCut) {
  Parameter hessian{"hessian", {400, 400}};
  hessian.symmetric = true;
  EXPECT_EQ(hessian.numel(), 80200u);  // 400 * 401 / 2, more than a piece has
  for (const PieceRule rule : {PieceRule::kFixed, PieceRule::kTensor, PieceRule::kMatrix}) {
    EXPECT_EQ(PieceCount(hessian, rule), 1u);
    const Piece piece = PieceOf(hessian, rule, 0);
    EXPECT_TRUE(piece.symmetric);
    EXPECT_EQ(piece.rows, 400u);
    EXPECT_EQ(piece.cols, 400u);
    EXPECT_EQ(piece.numel, 80200u);
    EXPECT_EQ(piece.parameter_numel, 80200u);
  }
}

TEST(Piece, RulesHaveNames) {
  for (const PieceRule rule : {PieceRule::kFixed, PieceRule::kTensor, PieceRule::kMatrix})
    EXPECT_EQ(FindPieceRule(NameOf(rule)), rule);
  EXPECT_EQ(FindPieceRule("row"), std::nullopt);
}

}  // namespace
}  // namespace gradwire
