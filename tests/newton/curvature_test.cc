// SPDX-License-Identifier: Apache-2.0
#include "newton/curvature.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/symmetric.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

std::vector<double> Packed(size_t d, const std::vector<double>& matrix) {
  std::vector<double> packed(PackedNumel(d));
  PackSymmetric<double>(d, matrix, packed);
  return packed;
}

std::vector<double> Solved(const Curvature& curvature, const std::vector<double>& g) {
  std::vector<double> out(g.size());
  curvature.Solve(g, out);
  return out;
}

/// [[2, 1], [1, 2]] has the eigenvalues 1 and 3, on (1, -1) and (1, 1).
const std::vector<double> kTwo = {2, 1, 1, 2};

TEST(Curvature, ProjectionRaisesEigenvaluesBelowMu) {
  Curvature curvature(2);
  const std::vector<double> h = Packed(2, kTwo);
  curvature.Project(h, 0.5);
  EXPECT_NEAR(Solved(curvature, {1, 0})[0], 2. / 3, 1e-15);
  EXPECT_NEAR(Solved(curvature, {1, 0})[1], -1. / 3, 1e-15);
  curvature.Project(h, 2);  // eigenvalues 2 and 3
  EXPECT_NEAR(Solved(curvature, {1, 0})[0], 0.5 / 2 + 0.5 / 3, 1e-15);
  EXPECT_NEAR(Solved(curvature, {1, 0})[1], -0.5 / 2 + 0.5 / 3, 1e-15);
  std::vector<double> product(2);
  curvature.Multiply(std::vector<double>{1, -1}, product);
  EXPECT_NEAR(product[0], 2, 1e-15);
  EXPECT_NEAR(product[1], -2, 1e-15);
}

/// The decomposition that tells whether there are eigenvalues below mu is no other method.
TEST(Curvature, ProjectionIsContinuousWhereTheDecompositionChanges) {
  Curvature below(2), above(2);
  below.Project(Packed(2, kTwo), 1 + 1e-12);
  above.Project(Packed(2, kTwo), 1 - 1e-12);
  for (size_t j = 0; j < 2; ++j) EXPECT_NEAR(Solved(below, {0.3, -0.7})[j], Solved(above, {0.3, -0.7})[j], 1e-11);
}

TEST(Curvature, ShiftAddsToTheDiagonalAndMustEndPositive) {
  Curvature curvature(2);
  curvature.Shift(Packed(2, kTwo), 1);  // 2 and 4
  EXPECT_NEAR(Solved(curvature, {1, 0})[0], 0.5 / 2 + 0.5 / 4, 1e-15);
  EXPECT_THROW(curvature.Shift(Packed(2, {1, 2, 2, 1}), 0.5), Error);
}

/// g has no part but rounding along the eigenvector of -1, so that its own directions end at ||h|| = 1/3 and the
/// model's minimum lies at ||h|| = 2, where B + ||h|| / 2 I is singular.
TEST(Curvature, CubicStepsReachTheMinimumInTheHardCase) {
  for (int turn = 0; turn < 50; ++turn) {
    const double c = std::cos(0.1 * turn), s = std::sin(0.1 * turn);  // eigenvectors (c, s) of -1, (-s, c) of 2
    Curvature curvature(2);
    curvature.Decompose(Packed(2, {2 * s * s - c * c, -3 * c * s, -3 * c * s, 2 * c * c - s * s}), 0);
    std::vector<double> h(2);
    curvature.Cubic(std::vector<double>{-s, c}, 1, h);
    EXPECT_NEAR(std::hypot(h[0], h[1]), 2, 1e-14) << turn;
    EXPECT_NEAR(c * h[1] - s * h[0], -1. / 3, 1e-14) << turn;
  }
}

/// The stationarity of the cubic model: g + B h + (M / 2) ||h|| h = 0, with B + M ||h|| / 2 I positive semidefinite.
TEST(Curvature, CubicStepsAreStationaryPointsOfTheModel) {
  for (const double shift : {0.0, -2.0}) {  // the second one makes B indefinite
    for (const double m : {1e-3, 1.0, 100.0}) {
      Curvature curvature(2);
      curvature.Decompose(Packed(2, kTwo), shift);
      const std::vector<double> g = {0.3, -0.5};
      std::vector<double> h(2), product(2);
      curvature.Cubic(g, m, h);
      curvature.Multiply(h, product);
      const double r = std::hypot(h[0], h[1]);
      for (size_t j = 0; j < 2; ++j)
        EXPECT_NEAR(g[j] + product[j] + 0.5 * m * r * h[j], 0, 1e-12 * (1 + m * r * r)) << shift << " " << m;
      EXPECT_GE(1 + shift + 0.5 * m * r, -1e-12);
    }
  }
}

}  // namespace
}  // namespace gradwire
