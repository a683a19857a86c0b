// SPDX-License-Identifier: Apache-2.0
// Samples made of others, by hand.
#include "problem/samples.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "problem/dense.h"
#include "problem/problem.h"

namespace gradwire {
namespace {

using ::testing::ElementsAre;

LabelledRows Sparse() {  // (0, 2, 0), (), (1, 0, 3)
  LabelledRows rows;
  rows.columns = 3;
  rows.begin = {0, 1, 1, 3};
  rows.column = {1, 0, 2};
  rows.value = {2, 1, 3};
  rows.label = {1, -1, 1};
  return rows;
}

TEST(Samples, AnInterceptIsAColumnOfOnesBehindTheOthers) {
  const Samples rows = WithIntercept(Sparse());
  EXPECT_EQ(rows->columns, 4u);
  EXPECT_THAT(rows->begin, ElementsAre(0, 2, 3, 6));
  EXPECT_THAT(rows->column, ElementsAre(1, 3, 3, 0, 2, 3));
  EXPECT_THAT(rows->value, ElementsAre(2, 1, 1, 1, 3, 1));
  EXPECT_THAT(rows->label, ElementsAre(1, -1, 1));
}

TEST(Samples, TheFirstOnesKeepAllColumns) {
  const Samples rows = FirstOf(Sparse(), 2);
  EXPECT_EQ(rows->rows(), 2u);
  EXPECT_EQ(rows->columns, 3u);
  EXPECT_THAT(rows->begin, ElementsAre(0, 1, 1));
  EXPECT_THAT(rows->column, ElementsAre(1));
  EXPECT_THAT(rows->label, ElementsAre(1, -1));
}

/// diag(3, 2, 1) has diag(3, 2, 0) as its nearest matrix of rank 2, and what is of lower rank stays.
TEST(Samples, ABlockBecomesItsNearestMatrixOfARank) {
  LabelledRows rows;
  for (const auto& row : {std::vector<double>{3, 0, 0}, {0, 2, 0}, {0, 0, 1}, {1, 1, 1}}) rows.Append(row, 1);
  const Samples low = OfRank(rows, 3, 2);
  const std::vector<double> expected = {3, 0, 0, 0, 2, 0, 0, 0, 0, 1, 1, 1};
  ASSERT_EQ(low->value.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(low->value[k], expected[k], 1e-14) << k;
}

/// The basis is orthonormal, and every row is the sum of its parts along it.
TEST(Samples, ASpanHoldsItsRows) {
  const Samples rows = LR3Samples();
  const std::vector<double> basis = RowSpan(*rows, 20, 40);
  ASSERT_EQ(basis.size(), 30u);
  const auto vector = [&](size_t k) { return std::span(basis).subspan(10 * k, 10); };
  for (size_t k = 0; k < 3; ++k)
    for (size_t l = 0; l < 3; ++l) EXPECT_NEAR(Dot(vector(k), vector(l)), k == l ? 1 : 0, 1e-14);
  for (size_t row = 20; row < 40; ++row) {
    std::vector<double> rest(rows->value.begin() + 10 * row, rows->value.begin() + 10 * row + 10);
    for (size_t k = 0; k < 3; ++k) {
      const double along = Dot(rest, vector(k));
      for (size_t j = 0; j < 10; ++j) rest[j] -= along * vector(k)[j];
    }
    EXPECT_LT(Norm(rest), 1e-13) << row;
  }
}

TEST(Samples, ASpanOfSparseRowsHasAsManyVectorsAsDiffer) {
  EXPECT_EQ(RowSpan(Sparse(), 0, 3).size(), 2u * 3);
  EXPECT_EQ(RowSpan(Sparse(), 0, 2).size(), 1u * 3);
}

}  // namespace
}  // namespace gradwire
