// SPDX-License-Identifier: Apache-2.0
// Operators of elements on a symmetric matrix: they see its packed triangle, in which an off-diagonal entry stands for
// two.
#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/symmetric.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

/// C of a symmetric matrix, as a matrix.
std::vector<double> Sent(const char* spec, size_t d, const std::vector<double>& matrix) {
  std::vector<double> packed(PackedNumel(d)), result(d * d);
  PackSymmetric<double>(d, matrix, packed);
  UnpackSymmetric<double>(d, Apply(*ParseCompressor(spec), SiteOf(SymmetricPiece(d)), packed), result);
  return result;
}

TEST(SymmetricPiece, TopKPrefersTwoEntriesOffTheDiagonal) {  // 2 * 1^2 > 1.3^2
  EXPECT_EQ(Sent("topk:1", 2, {1.3, 1, 1, 0.5}), std::vector<double>({0, 1, 1, 0}));
  EXPECT_EQ(Sent("topk:1", 2, {1.5, 1, 1, 0.5}), std::vector<double>({1.5, 0, 0, 0}));
}

/// k of d (d + 1) / 2 numbers, which is at least the k / d^2 of papers that count all entries (Islamov et al. 2022,
/// arXiv 2206.03588), and of Rand-k the smaller variance.
TEST(SymmetricPiece, ConstantsAreThoseOfTheTriangle) {
  const Piece piece = SymmetricPiece(20);  // 210
  EXPECT_EQ(ParseCompressor("topk:21")->delta(piece), 0.1);
  EXPECT_EQ(ParseCompressor("topk:10%")->delta(piece), 0.1);
  EXPECT_EQ(ParseCompressor("randk:21")->omega(piece), 9);
  EXPECT_EQ(ParseCompressor("randseqk:21")->omega(piece), 9);
  EXPECT_EQ(ParseCompressor("randk:21")->Bytes(piece, Dtype::kF64), 21 * 8u);
  std::vector<double> equal(210, 1.0);
  EXPECT_NEAR(ErrorRatio(*ParseCompressor("topk:21"), SiteOf(piece), equal), 0.9, 1e-14);
}

/// Adaptive thresholding of matrices: max(1 - (d lambda)^2, 1 / d^2) there, and not less here.
TEST(SymmetricPiece, AdaptiveThresholdingContractsAsItsPaperSays) {
  for (const size_t d : {2, 5, 20})
    for (const char* lambda : {"0.01", "0.1", "0.5", "1"}) {
      const double share = std::stod(lambda) * static_cast<double>(d), square = static_cast<double>(d * d);
      const auto op = ParseCompressor(std::string("adaptive:") + lambda);
      EXPECT_GE(*op->delta(SymmetricPiece(d)), std::max(1 - share * share, 1 / square));
      EXPECT_GE(*op->delta(MatrixPiece(d, d)), std::max(1 - share * share, 1 / square));
    }
}

}  // namespace
}  // namespace gradwire
