// SPDX-License-Identifier: Apache-2.0
// Personalised least squares and what is left of them at the best own unknowns. Constants are by numpy's pinv, eigvalsh
// and lstsq from the same numbers, apart from this code.
#include "problem/personal_problems.h"

#include <cmath>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "problem/dense.h"
#include "problem/personal_squares.h"

namespace gradwire {
namespace {

std::vector<double> Point(size_t d) {
  std::vector<double> x(d);
  for (size_t j = 0; j < d; ++j) x[j] = std::cos(static_cast<double>(3 * j + 1));
  return x;
}

TEST(PersonalProblem, HasItsConstants) {
  const Problem over = Overpersonalised(6), noisy = Personalised(6);
  for (const Problem* problem : {&over, &noisy}) {
    EXPECT_NEAR(problem->smoothness, 4.571846490929024, 1e-12);
    EXPECT_NEAR(problem->strong_convexity, 0.8598108651278682, 1e-12);
    EXPECT_EQ(problem->min_worker_convexity, 0);  // 5 rows less 3 own unknowns bend in 2 of 4 directions
    EXPECT_TRUE(problem->minimiser->flat.empty());
  }
  EXPECT_NEAR(Norm(over.minimiser->x), 1.768017298212713, 1e-12);
  EXPECT_LT(over.minimiser->value, 1e-25);
  EXPECT_LT(Heterogeneity(over), 1e-25);
  EXPECT_NEAR(Norm(noisy.minimiser->x), 1.286444067243959, 1e-12);
  EXPECT_NEAR(noisy.minimiser->value, 0.8900967772589788, 1e-12);
  EXPECT_NEAR(Heterogeneity(noisy), 6.471320239291884, 1e-11);
}

TEST(PersonalProblem, AnOverpersonalisedOneHasItsMinimumWhateverTheNumberOfWorkers) {
  const std::vector<double> six = Overpersonalised(6).minimiser->x;
  for (const size_t workers : {3u, 20u})
    for (size_t j = 0; j < six.size(); ++j) EXPECT_NEAR(Overpersonalised(workers).minimiser->x[j], six[j], 1e-11);
}

/// Two of its four directions are flat: own unknowns make up for any move along them.
TEST(PersonalProblem, AWorkerAloneHasAPlaneOfMinimisers) {
  const Problem one = Personalised(1);
  ASSERT_EQ(one.minimiser->flat.size(), 2u);
  EXPECT_EQ(one.strong_convexity, 0);
  std::vector<double> x = one.minimiser->x;
  for (size_t j = 0; j < x.size(); ++j) x[j] += 3 * one.minimiser->flat[0][j] - one.minimiser->flat[1][j];
  EXPECT_NEAR(one.Distance(x), 0, 1e-12);
  EXPECT_NEAR(one.Value(x), one.minimiser->value, 1e-12);
}

TEST(PersonalSum, IsWhatIsLeftAtTheBestOwnUnknowns) {
  for (const auto& f : Personalised(6).workers) {
    const PersonalSum& sum = *f->personal();
    const std::vector<double> x = Point(f->dimension());
    std::vector<double> y(sum.own_dimension()), own(y.size()), shared(x.size()), gradient(x.size());
    sum.SolveOwn(x, y);
    sum.OwnGradient(x, y, own);
    EXPECT_NEAR(Norm(own), 0, 1e-12);
    sum.SharedGradient(x, y, shared), f->Gradient(x, gradient);
    for (size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(shared[j], gradient[j], 1e-12);
    EXPECT_NEAR(sum.JointValue(x, y), f->Value(x), 1e-12);
  }
}

TEST(PersonalSum, OwnDerivativesAreThoseOfTheJointValue) {
  for (const auto& f : Personalised(2).workers) {
    const PersonalSum& sum = *f->personal();
    std::vector<double> x = Point(f->dimension()), y = Point(sum.own_dimension());
    std::vector<double> own(y.size()), shared(x.size()), image(y.size()), moved(y.size());
    sum.SharedGradient(x, y, shared), sum.OwnGradient(x, y, own);
    const auto slope = [&](double& v) {
      const double h = 1e-5, middle = v;
      v = middle + h;
      const double above = sum.JointValue(x, y);
      v = middle - h;
      const double below = sum.JointValue(x, y);
      v = middle;
      return (above - below) / (2 * h);
    };
    for (size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(shared[j], slope(x[j]), 1e-7);
    for (size_t j = 0; j < y.size(); ++j) EXPECT_NEAR(own[j], slope(y[j]), 1e-7);
    const std::vector<double> v = {1, -2, 0.5};
    sum.MultiplyOwn(v, image);
    for (size_t j = 0; j < y.size(); ++j) y[j] += v[j];
    sum.OwnGradient(x, y, moved);
    for (size_t j = 0; j < y.size(); ++j) EXPECT_NEAR(image[j], moved[j] - own[j], 1e-12);
    EXPECT_LE(Norm(image), sum.own_smoothness() * Norm(v));
  }
}

/// D's columns are the same: what matters is the sum of both unknowns, which they share.
TEST(PersonalSum, OfManyBestOwnUnknownsTheShortestCount) {
  const auto sum = MakePersonalSquares({1, 0, 0, 1}, {1, 1, 0, 0}, {4, 2});
  std::vector<double> x = {1, 1}, y(2), gradient(2);
  sum->SolveOwn(x, y);
  EXPECT_NEAR(y[0], 1.5, 1e-14);
  EXPECT_NEAR(y[1], 1.5, 1e-14);
  sum->Gradient(x, gradient);  // ||P (x - c)||^2 / 2 with P = diag(0, 1)
  EXPECT_NEAR(gradient[0], 0, 1e-14);
  EXPECT_NEAR(gradient[1], -1, 1e-14);
}

TEST(PersonalSum, SizesThatDoNotFitAreRefused) {
  EXPECT_THROW(MakePersonalSquares({1, 2, 3}, {1, 2}, {1, 2}), Error);
  EXPECT_THROW(MakePersonalSquares({1, 2}, {}, {1, 2}), Error);
  EXPECT_THROW(MakePersonalSquares({1, 2}, {1, 2}, {}), Error);
}

}  // namespace
}  // namespace gradwire
