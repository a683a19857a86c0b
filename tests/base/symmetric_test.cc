// SPDX-License-Identifier: Apache-2.0
#include "base/symmetric.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

/// d x d, with both triangles alike.
template <typename T>
std::vector<T> SymmetricMatrix(size_t d, uint64_t seed) {
  Philox random(seed, Purpose::kSynthetic, 0, 0);
  std::vector<T> matrix(d * d);
  for (size_t row = 0; row < d; ++row)
    for (size_t col = row; col < d; ++col)
      matrix[row * d + col] = matrix[col * d + row] = static_cast<T>(random.Uniform() - 0.5);
  return matrix;
}

TEST(Symmetric, IsTheUpperTriangleRowByRowTimesTheRootOfTwo) {
  const std::vector<double> matrix = {1, 2, 3,  //
                                      2, 4, 5,  //
                                      3, 5, 6};
  std::vector<double> packed(6);
  PackSymmetric<double>(3, matrix, packed);
  const double s = std::sqrt(2.0);
  EXPECT_EQ(packed, std::vector<double>({1, 2 * s, 3 * s, 4, 5 * s, 6}));
}

TEST(Symmetric, TheLowerTriangleIsNotRead) {
  std::vector<double> matrix = SymmetricMatrix<double>(4, 1), packed(10), other(10);
  PackSymmetric<double>(4, matrix, packed);
  matrix[3 * 4 + 1] = std::nan("");
  PackSymmetric<double>(4, matrix, other);
  EXPECT_EQ(packed, other);
}

template <typename T>
void CheckRoundTrip() {
  for (const size_t d : {0, 1, 2, 7, 60}) {
    const std::vector<T> matrix = SymmetricMatrix<T>(d, d);
    std::vector<T> packed(PackedNumel(d)), again(d * d);
    PackSymmetric<T>(d, matrix, packed);
    UnpackSymmetric<T>(d, packed, again);
    for (size_t row = 0; row < d; ++row)
      for (size_t col = 0; col < d; ++col) {
        EXPECT_EQ(again[row * d + col], again[col * d + row]) << row << " " << col;
        EXPECT_NEAR(again[row * d + col], matrix[row * d + col],
                    std::numeric_limits<T>::epsilon() * std::abs(matrix[row * d + col]));
      }
  }
}

TEST(Symmetric, ComesBackWithBothTrianglesAlike) {
  CheckRoundTrip<float>();
  CheckRoundTrip<double>();
}

TEST(Symmetric, NormsAndProductsAreThoseOfTheMatrix) {
  const size_t d = 9;
  const std::vector<double> a = SymmetricMatrix<double>(d, 1), b = SymmetricMatrix<double>(d, 2);
  std::vector<double> packed_a(PackedNumel(d)), packed_b(PackedNumel(d));
  PackSymmetric<double>(d, a, packed_a);
  PackSymmetric<double>(d, b, packed_b);
  double product = 0, packed_product = 0;
  for (size_t i = 0; i < a.size(); ++i) product += a[i] * b[i];
  for (size_t i = 0; i < packed_a.size(); ++i) packed_product += packed_a[i] * packed_b[i];
  EXPECT_NEAR(packed_product, product, 1e-13);
}

std::string Complaint(const Parameter& parameter) {
  try {
    CheckSymmetric({{"fine", {3, 4}}, parameter});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Symmetric, OnlyASquareMatrixInItsOwnOrderIs) {
  EXPECT_EQ(Complaint({"hessian", {4, 4}, {}, true}), "");
  EXPECT_THAT(Complaint({"hessian", {3, 4}, {}, true}),
              HasSubstr("parameter hessian: [3, 4], symmetric; expected a square matrix"));
  EXPECT_THAT(Complaint({"hessian", {4}, {}, true}), HasSubstr("[4], symmetric; expected a square matrix"));
  EXPECT_THAT(Complaint({"hessian", {}, {}, true}), HasSubstr("expected a square matrix"));
  EXPECT_THAT(Complaint({"hessian", {4, 4}, {1, 0}, true}), HasSubstr("dimensions 1 0"));
}

}  // namespace
}  // namespace gradwire
