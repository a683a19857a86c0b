// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/symmetric.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

std::vector<double> Spike(size_t n) {
  std::vector<double> x(n);
  x[n / 3] = 2;
  return x;
}

TEST(Rotate, OfIdentityIsIdentityButForRounding) {
  const auto op = ParseCompressor("rotate(identity)");
  for (const Piece& piece : {Piece::Whole(1), Piece::Whole(64), Piece::Whole(1000), SymmetricPiece(1),
                             SymmetricPiece(13), SymmetricPiece(32)}) {
    const std::vector<double> x = Gaussian<double>(piece.numel), sent = Apply(*op, SiteOf(piece), x);
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(sent[i], x[i], 1e-14 * (1 + std::abs(x[i])));
  }
}

/// In its basis a spike has many elements, of which Top-1 takes one.
TEST(Rotate, SpreadsASpikeOverManyElements) {
  const std::vector<double> x = Spike(64);
  EXPECT_EQ(ErrorRatio(*ParseCompressor("topk:1"), SiteOf(Piece::Whole(64)), x), 0);
  const double left = ErrorRatio(*ParseCompressor("rotate(topk:1)"), SiteOf(Piece::Whole(64)), x);
  EXPECT_GT(left, 0.8);
  EXPECT_LE(left, 1 - *ParseCompressor("rotate(topk:1)")->delta(Piece::Whole(64)));
  EXPECT_EQ(ParseCompressor("rotate(topk:1)")->delta(Piece::Whole(64)), 1.0 / 64);
  EXPECT_EQ(ParseCompressor("rotate(randk:8)")->omega(Piece::Whole(64)), 7);
}

/// U^T U = I: of a symmetric matrix both sides are turned, so that I needs no more elements than it has rows.
TEST(Rotate, TurnsASymmetricMatrixOnBothSides) {
  for (const size_t d : {5, 8, 21}) {
    std::vector<double> matrix(d * d), packed(PackedNumel(d));
    for (size_t i = 0; i < d; ++i) matrix[i * d + i] = 3;
    PackSymmetric<double>(d, matrix, packed);
    const auto op = ParseCompressor("rotate(topk:" + std::to_string(d) + ")");
    EXPECT_LT(ErrorRatio(*op, SiteOf(SymmetricPiece(d)), packed), 1e-28) << d;
    EXPECT_GT(ErrorRatio(*op, SiteOf(Piece::Whole(packed.size())), packed), 0.1) << d;
  }
}

TEST(Rotate, HasOneBasisForAllWorkersAndStepsOfASeed) {
  const auto bytes = [](uint64_t seed, uint32_t worker, uint64_t step) {
    Site site = SiteOf(Piece::Whole(300), step);
    site.worker = worker, site.seed = seed;
    return Encode(*ParseCompressor("rotate(topk:5)"), site, Spike(300)).bytes;
  };
  EXPECT_EQ(bytes(1, 0, 0), bytes(1, 2, 7));
  EXPECT_NE(bytes(1, 0, 0), bytes(2, 0, 0));
}

}  // namespace
}  // namespace gradwire
