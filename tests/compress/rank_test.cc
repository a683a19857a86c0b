// SPDX-License-Identifier: Apache-2.0
// rank:R beside matrices whose singular values and eigenvalues are known: rows, or outer products of rows, of a
// Hadamard matrix are orthogonal, and exact.
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/symmetric.h"
#include "gradwire/error.h"
#include "support/decode_laws.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

constexpr size_t kSide = 8;

/// 1 or -1: Sylvester's Hadamard matrix.
double Hadamard(size_t i, size_t j) { return std::popcount(i & j) % 2 ? -1 : 1; }

/// Row i is scales[i] times row i of the Hadamard matrix, so that sqrt(8) |scales| are the singular values.
std::vector<double> RowsOf(const std::vector<double>& scales) {
  std::vector<double> matrix;
  for (size_t i = 0; i < kSide; ++i)
    for (size_t j = 0; j < kSide; ++j) matrix.push_back(scales[i] * Hadamard(i, j));
  return matrix;
}

/// The symmetric matrix of these eigenvalues, packed.
std::vector<double> PackedOf(const std::vector<double>& eigenvalues) {
  std::vector<double> matrix(kSide * kSide), packed(PackedNumel(kSide));
  for (size_t i = 0; i < kSide; ++i)
    for (size_t j = 0; j < kSide; ++j)
      for (size_t r = 0; r < kSide; ++r)
        matrix[i * kSide + j] += eigenvalues[r] * Hadamard(r, i) * Hadamard(r, j) / kSide;
  PackSymmetric<double>(kSide, matrix, packed);
  return packed;
}

void ExpectNear(const std::vector<double>& found, const std::vector<double>& wanted, double tolerance) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], wanted[i], tolerance) << i;
}

std::vector<double> Sent(const std::string& spec, const Piece& piece, const std::vector<double>& x) {
  return Apply(*ParseCompressor(spec), SiteOf(piece), x);
}

TEST(Rank, KeepsTheLargestSingularValues) {
  ExpectNear(Sent("rank:2", MatrixPiece(kSide, kSide), RowsOf({3, -50, 7, 1, 2, 20, -5, 4})),
             RowsOf({0, -50, 0, 0, 0, 20, 0, 0}), 1e-12);
}

TEST(Rank, KeepsTheEigenvaluesOfLargestMagnitude) {
  ExpectNear(Sent("rank:2", SymmetricPiece(kSide), PackedOf({3, -9, 7, 1, -2, 6, -5, 4})),
             PackedOf({0, -9, 7, 0, 0, 0, 0, 0}), 1e-13);
}

/// Delta is attained where all singular values, or magnitudes of eigenvalues, are equal.
TEST(Rank, LeavesAShareOfOneMinusDeltaWhereAllAreEqual) {
  const auto op = ParseCompressor("rank:2");
  const std::vector<double> equal(kSide, 3.0);
  EXPECT_EQ(op->delta(MatrixPiece(kSide, kSide)), 2.0 / kSide);
  EXPECT_NEAR(ErrorRatio(*op, SiteOf(MatrixPiece(kSide, kSide)), RowsOf(equal)), 1 - 2.0 / kSide, 1e-14);
  EXPECT_EQ(op->delta(SymmetricPiece(kSide)), 2.0 / kSide);
  EXPECT_NEAR(ErrorRatio(*op, SiteOf(SymmetricPiece(kSide)), PackedOf({3, -3, 3, 3, -3, 3, 3, -3})), 1 - 2.0 / kSide,
              1e-14);
  EXPECT_EQ(op->delta(MatrixPiece(30, 400)), 2.0 / 30);
  EXPECT_EQ(op->delta(MatrixPiece(400, 30)), 2.0 / 30);
}

TEST(Rank, OfATallMatrixIsThatOfTheWideOne) {
  constexpr size_t kRows = 6, kCols = 31;
  const std::vector<double> wide = Gaussian<double>(kRows * kCols);
  const auto transposed = [&](const std::vector<double>& x, size_t rows, size_t cols) {
    std::vector<double> result;
    for (size_t j = 0; j < cols; ++j)
      for (size_t i = 0; i < rows; ++i) result.push_back(x[i * cols + j]);
    return result;
  };
  ExpectNear(Sent("rank:3", MatrixPiece(kCols, kRows), transposed(wide, kRows, kCols)),
             transposed(Sent("rank:3", MatrixPiece(kRows, kCols), wide), kRows, kCols), 1e-13);
}

TEST(Rank, SendsItsFactorsAndAnExponent) {
  const auto op = ParseCompressor("rank:3");
  EXPECT_EQ(op->Bytes(MatrixPiece(64, 288), Dtype::kF32), 4 + 3 * (64 + 288) * 4u);
  EXPECT_EQ(op->Bytes(SymmetricPiece(100), Dtype::kF64), 4 + 3 * 101 * 8u);
}

/// What a matrix is no shorter for goes as it is: 3 (m + n) >= m n, or 3 (d + 1) >= d (d + 1) / 2, more than its rank,
/// or no matrix at all.
TEST(Rank, SendsTheMatrixWhereItsFactorsWouldTakeAsMuch) {
  const auto op = ParseCompressor("rank:3"), all = ParseCompressor("rank:99999999999999999");
  for (const auto& [spec, piece] :
       std::vector<std::pair<std::string, Piece>>{{"rank:3", MatrixPiece(6, 6)},
                                                  {"rank:3", SymmetricPiece(6)},
                                                  {"rank:3", MatrixPiece(2, 900)},
                                                  {"rank:99999999999999999", MatrixPiece(70, 80)},
                                                  {"rank:1", Piece::Whole(900)}}) {
    const std::vector<double> x = Gaussian<double>(piece.numel);
    EXPECT_EQ(ParseCompressor(spec)->Bytes(piece, Dtype::kF64), piece.numel * 8);
    EXPECT_EQ(ParseCompressor(spec)->delta(piece), 1);
    EXPECT_EQ(Sent(spec, piece, x), x) << spec;
  }
}

TEST(Rank, PaperBitsAreThoseOfFedNl) {  // R (d + 1) numbers of a symmetric matrix, R (2 d + 1) of another, 32 bits each
  const auto op = ParseCompressor("rank:2");
  const BitRule& rule = *FindBitRule("paper");
  EXPECT_EQ(op->PaperBits(rule, SymmetricPiece(20), Dtype::kF64, {}), 2 * 21 * 32u);
  EXPECT_EQ(op->PaperBits(rule, MatrixPiece(20, 20), Dtype::kF64, {}), 2 * 41 * 32u);
  EXPECT_EQ(op->PaperBits(rule, Piece::Whole(20), Dtype::kF64, {}), 20 * 32u);
}

template <typename T>
void ExpectRefused(size_t at, T value) {
  const auto op = ParseCompressor("rank:1");
  const Site site = SiteOf(MatrixPiece(9, 9));
  std::vector<std::byte> bytes = Encode(*op, site, Gaussian<double>(81)).bytes;
  EXPECT_EQ(DecodeForeign<double>(*op, site, bytes), Verdict::kTaken);
  std::memcpy(bytes.data() + at, &value, sizeof(value));
  EXPECT_EQ(DecodeForeign<double>(*op, site, bytes), Verdict::kRefused) << value;
}

TEST(Rank, RefusesImpossibleExponentsAndFactors) {
  ExpectRefused<int32_t>(0, 1101);
  ExpectRefused<int32_t>(0, -1101);
  ExpectRefused<double>(4 + 5 * 8, std::numeric_limits<double>::quiet_NaN());
  ExpectRefused<double>(4 + 17 * 8, 0x1.1p32);
}

TEST(Rank, ForeignBytesBreakNothing) {
  Philox random(7, Purpose::kSample);
  for (const char* spec : {"rank:1", "rank:3"})
    for (const Piece& piece : {MatrixPiece(20, 9), SymmetricPiece(17)})
      for (int round = 0; round < 200; ++round) {
        const auto op = ParseCompressor(spec);
        std::vector<std::byte> bytes = Encode(*op, SiteOf(piece), Gaussian<float>(piece.numel)).bytes;
        bytes[random.Below(static_cast<uint32_t>(bytes.size()))] = static_cast<std::byte>(random.Next());
        ASSERT_NE(DecodeForeign<float>(*op, SiteOf(piece), bytes), Verdict::kBroken);
        bytes.resize(random.Below(static_cast<uint32_t>(bytes.size())));
        ASSERT_EQ(DecodeForeign<float>(*op, SiteOf(piece), bytes), Verdict::kRefused);
      }
}

/// A layer of ResNet-18, 512 x 4608: by the smaller side's 512 x 512.
TEST(Rank, TakesLargeMatrices) {
  std::vector<float> x = Gaussian<float>(512 * 4608);
  for (size_t i = 0; i < 512; ++i)
    for (size_t j = 0; j < 4608; ++j) x[i * 4608 + j] += (i % 2 ? 3.0f : -3.0f) * (j % 3 ? 1.0f : -1.0f);
  const double ratio = ErrorRatio(*ParseCompressor("rank:1"), SiteOf(MatrixPiece(512, 4608)), x);
  EXPECT_NEAR(ratio, 0.1,
              0.01);  // 9 of an element's 10 is the product that was added, and the rest has no large values
}

}  // namespace
}  // namespace gradwire
