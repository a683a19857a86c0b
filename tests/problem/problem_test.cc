// SPDX-License-Identifier: Apache-2.0
// The known answers of the deterministic problems: the quadratics' in closed form, the logistic ones' by damped Newton
// steps until ||grad f|| < 1e-12, in numpy apart from this code.
#include "problem/problem.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "base/symmetric.h"
#include "gradwire/error.h"
#include "problem/dense.h"
#include "problem/graded.h"
#include "problem/personal_problems.h"
#include "problem/quadratic.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrace;

ConvexTrace Descend(Problem problem, double lr, int steps, const Prox& prox = {}) {
  return testing::Run({std::make_shared<Problem>(std::move(problem)), Comm("none", "identity"), lr, steps, {}, prox});
}

/// grad f_i at x by central differences of the values.
std::vector<double> Differences(const FiniteSum& f, std::vector<double> x) {
  std::vector<double> gradient(x.size());
  for (size_t j = 0; j < x.size(); ++j) {
    const double h = 1e-6, middle = x[j];
    x[j] = middle + h;
    const double above = f.Value(x);
    x[j] = middle - h;
    gradient[j] = (above - f.Value(x)) / (2 * h);
    x[j] = middle;
  }
  return gradient;
}

std::vector<double> SomePoint(size_t d) {
  std::vector<double> x(d);
  for (size_t j = 0; j < d; ++j) x[j] = std::cos(static_cast<double>(2 * j + 1));
  return x;
}

Problem NonConvexLR() {
  auto rows = std::make_shared<LabelledRows>();
  rows->columns = 3;
  rows->begin = {0, 2, 3, 5};
  rows->column = {0, 2, 1, 0, 1};
  rows->value = {0.5, -1, 2, 1, 1};
  rows->label = {1, -1, 1};
  return LogisticRegression(rows, 2, 0.3, Regulariser::kNonConvex);
}

/// Of every kind, small.
std::vector<Problem> Some() {
  std::vector<Problem> some = {Q3(), QH(), TwoTilts(), LR(), LR2(), NonConvexLR(), AlphaBeta(1), AlphaBeta(2)};
  for (const Loss& loss : Losses()) {
    some.push_back(LinearProblem(LRSamples(2), 5, loss, 0.1));
    some.push_back(LinearProblem(LRSamples(2), 3, loss, 0.1, Regulariser::kNonConvex));
  }
  some.push_back(SoftmaxProblem(LRSamples(1), 4, 0.7, 0.1));
  some.push_back(LinearProblem(LR3Samples(), 5, *FindLoss("logistic"), 0.01));
  some.push_back(LinearProblem(GaussianSamples(30, 8), 4, *FindLoss("least_squares"), 0));
  some.push_back(Graded(3));
  some.push_back(Overpersonalised(3));
  some.push_back(Personalised(1));
  return some;
}

/// A_i^T A_i = (i + 1)^2 / n, of which the mean over 4 workers is 30 / 16; b_i / A_i has deviation 10 sqrt(n) / (i +
/// 1)^2.
TEST(Problem, GradedHasItsConstants) {
  const Problem graded = Graded(4);
  EXPECT_NEAR(graded.smoothness, 30.0 / 16, 1e-12);
  EXPECT_NEAR(graded.strong_convexity, 30.0 / 16, 1e-12);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(graded.worker_smoothness[i], static_cast<double>((i + 1) * (i + 1)) / 4, 1e-12);
  double square = 0;
  std::vector<double> gradient(20);
  for (size_t i = 0; i < 4; ++i) {  // at 0 it is -A_i b_i, of deviation 10 / sqrt(n) whichever worker
    graded.workers[i]->Gradient(graded.start, gradient);
    for (const double v : gradient) square += v * v;
  }
  EXPECT_NEAR(square / 80, 25, 5 * 25 * std::sqrt(2.0 / 80));
}

TEST(Problem, Q3HasItsConstants) {
  const Problem q3 = Q3();
  EXPECT_NEAR(q3.smoothness, 103.0 / 6, 1e-12);
  EXPECT_NEAR(q3.strong_convexity, 7.0 / 6, 1e-12);
  for (const double smoothness : q3.worker_smoothness) EXPECT_NEAR(smoothness, 34.5, 1e-12);
  EXPECT_EQ(q3.minimiser->x, std::vector<double>(3));
  EXPECT_EQ(q3.minimiser->value, 0);
  EXPECT_EQ(Heterogeneity(q3), 0);
}

TEST(Problem, QhHasItsConstants) {
  const Problem qh = QH();
  EXPECT_NEAR(qh.smoothness, 6.447368421052632, 1e-12);
  EXPECT_NEAR(qh.strong_convexity, 4.552631578947368, 1e-12);
  EXPECT_NEAR(qh.max_worker_smoothness(), 10, 1e-12);
  EXPECT_NEAR(Norm(qh.minimiser->x), 1.2076515226342595, 1e-12);
  EXPECT_NEAR(qh.minimiser->value, -3.7813668936928373, 1e-12);
  EXPECT_NEAR(Heterogeneity(qh), 969.3836658457451, 1e-9);
  EXPECT_NEAR(Norm(qh.Gradient(qh.start)), 6.285968343205568, 1e-12);
}

TEST(Problem, LrAndLr2HaveTheirConstants) {
  const Problem lr = LR(), lr2 = LR2();
  EXPECT_NEAR(lr.smoothness, 0.26326507044140746, 1e-12);
  EXPECT_NEAR(lr.max_worker_smoothness(), 0.3606332251214762, 1e-12);
  EXPECT_NEAR(lr.max_sample_smoothness, 2.264131689450833, 1e-12);
  EXPECT_NEAR(lr.minimiser->value, 0.688069580986173, 1e-12);
  EXPECT_NEAR(Norm(lr.minimiser->x), 0.22209567698600668, 1e-12);
  EXPECT_EQ(lr.strong_convexity, 0.1);
  EXPECT_NEAR(lr2.smoothness, 1.479385633972668, 1e-12);
  EXPECT_NEAR(lr2.minimiser->value, 0.6832851782580623, 1e-12);
  EXPECT_NEAR(Norm(lr2.minimiser->x), 0.14605615808173614, 1e-12);
}

/// By numpy's singular values and 60 of Newton's steps.
TEST(Problem, Lr3HasItsConstants) {
  const Problem lr3 = LinearProblem(LR3Samples(), 5, *FindLoss("logistic"), 0.01);
  EXPECT_NEAR(lr3.smoothness, 1.323117304972032, 1e-12);
  EXPECT_NEAR(lr3.minimiser->value, 0.6737733990209311, 1e-12);
  EXPECT_NEAR(Norm(lr3.minimiser->x), 0.4611163857160993, 1e-12);
}

/// H(x) - H(y) stays where it is between projections onto the span on both sides.
TEST(Problem, HessiansDifferWithinTheirSpanAlone) {
  size_t known = 0;
  for (const Problem& problem : Some())
    for (const auto& f : problem.workers) {
      const size_t d = problem.dimension();
      const std::vector<double> span = f->HessianSpan();
      if (span.empty()) continue;
      ++known;
      std::vector<double> packed(PackedNumel(d)), matrix(d * d), projector(d * d), half(d * d), whole(d * d);
      f->AddPackedHessian(SomePoint(d), 1, packed);
      f->AddPackedHessian(problem.start, -1, packed);
      UnpackSymmetric<double>(d, packed, matrix);
      for (size_t v = 0; v < span.size(); v += d)
        for (size_t i = 0; i < d * d; ++i) projector[i] += span[v + i / d] * span[v + i % d];
      const auto multiply = [&](const std::vector<double>& a, const std::vector<double>& b, std::vector<double>& c) {
        for (size_t i = 0; i < d * d; ++i)
          for (size_t k = 0; k < d; ++k) c[i] += a[i / d * d + k] * b[k * d + i % d];
      };
      multiply(projector, matrix, half), multiply(half, projector, whole);
      for (size_t i = 0; i < d * d; ++i) EXPECT_NEAR(whole[i], matrix[i], 1e-12);
    }
  EXPECT_GT(known, 20u);
}

TEST(Problem, ASingleNodeHasTheSameFunction) {
  const Problem five = LR(5), one = LR(1);
  ASSERT_EQ(one.workers.size(), 1u);
  EXPECT_EQ(one.workers[0]->samples(), 100u);
  const std::vector<double> x = SomePoint(10), gradient = five.Gradient(x), whole = one.Gradient(x);
  EXPECT_NEAR(one.Value(x), five.Value(x), 1e-14);
  for (size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(whole[j], gradient[j], 1e-14);
}

TEST(Problem, GradientsAreThoseOfTheValues) {
  for (const Problem& problem : Some())
    for (const auto& f : problem.workers) {
      const std::vector<double> x = SomePoint(problem.dimension()), expected = Differences(*f, x);
      std::vector<double> gradient(x.size());
      f->Gradient(x, gradient);
      for (size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(gradient[j], expected[j], 1e-6);
    }
}

TEST(Problem, HessiansAreThoseOfTheGradientsAndBelowTheCurvature) {
  for (const Problem& problem : Some())
    for (const auto& f : problem.workers) {
      const size_t d = problem.dimension();
      std::vector<double> x = SomePoint(d), packed(PackedNumel(d), 0.5), hessian(d * d), above(d), below(d);
      f->AddPackedHessian(x, 2, packed);
      for (double& value : packed) value = (value - 0.5) / 2;
      UnpackSymmetric<double>(d, packed, hessian);
      for (size_t j = 0; j < d; ++j) {
        const double middle = x[j];
        x[j] = middle + 1e-5, f->Gradient(x, above);
        x[j] = middle - 1e-5, f->Gradient(x, below);
        x[j] = middle;
        for (size_t i = 0; i < d; ++i) EXPECT_NEAR(hessian[i * d + j], (above[i] - below[i]) / 2e-5, 1e-7);
      }
      for (double& value : hessian) value = -value;
      f->AddCurvature(1, hessian);
      EXPECT_GE(ExtremeEigenvalues(hessian, d).first, -1e-12);
    }
}

TEST(Problem, AWorkersGradientAndValueAreTheMeansOfItsSamples) {
  for (const Problem& problem : Some())
    for (const auto& f : problem.workers) {
      const std::vector<double> x = SomePoint(problem.dimension());
      std::vector<double> full(x.size()), mean(x.size());
      f->Gradient(x, full);
      double value = 0;
      for (uint32_t l = 0; l < f->samples(); ++l) {
        const Draw draw{l, 1 / static_cast<double>(f->samples())};
        f->AddGradient({&draw, 1}, x, mean);
        value += f->Value({&draw, 1}, x);
      }
      for (size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(mean[j], full[j], 1e-13);
      EXPECT_NEAR(value, f->Value(x), 1e-12 * std::max(1.0, std::abs(value)));
    }
}

TEST(Problem, SamplesAreDealtInContiguousBlocksThatDifferByOne) {
  const Problem three = LR(3);
  EXPECT_EQ(three.workers[0]->samples(), 34u);
  EXPECT_EQ(three.workers[1]->samples(), 33u);
  EXPECT_EQ(three.workers[2]->samples(), 33u);
  const std::vector<double> x = SomePoint(10);
  std::vector<double> first(10), expected(10), one(10);
  for (uint32_t l = 0; l < 34; ++l) {
    const Draw draw{l, 1.0 / 34};
    LR(1).workers[0]->AddGradient({&draw, 1}, x, expected);
  }
  three.workers[0]->Gradient(x, first);
  for (size_t j = 0; j < 10; ++j) EXPECT_NEAR(first[j], expected[j], 1e-14);
  EXPECT_THROW(LR(101), ConfigError);
}

TEST(Problem, GradientDescentReachesTheMinimiser) {  // rate (1 - mu / L): LR2's condition number is 148
  EXPECT_EQ(Descend(QH(), 1 / 6.447368421052632, 25).RoundsTo(1e-10), 19);  // a run in numpy takes 19, too
  EXPECT_GT(Descend(LR(), 1 / 0.26326507044140746, 100).RoundsTo(1e-10), 0);
  EXPECT_GT(Descend(LR2(), 1 / 1.479385633972668, 4000).RoundsTo(1e-10), 0);
}

TEST(Problem, ProximalGradientDescentReachesTheMinimiserOfTheSum) {
  const Prox l1{Prox::Kind::kL1, 0.5}, l2{Prox::Kind::kL2, 0.5};
  Problem qh = QH();
  qh.minimiser = Minimise(qh, l1);
  const auto nonzero = std::count_if(qh.minimiser->x.begin(), qh.minimiser->x.end(), [](double v) { return v != 0; });
  EXPECT_EQ(nonzero, 17);  // as ISTA has it in numpy
  EXPECT_GT(Descend(qh, 1 / qh.smoothness, 60, l1).RoundsTo(1e-10), 0);
  qh.minimiser = Minimise(qh, l2);
  EXPECT_GT(Descend(qh, 1 / qh.smoothness, 60, l2).RoundsTo(1e-10), 0);
  // ISTA's fixed point satisfies grad f + lambda x = 0 for the ridge.
  const std::vector<double> gradient = qh.Gradient(qh.minimiser->x);
  for (size_t j = 0; j < gradient.size(); ++j) EXPECT_NEAR(gradient[j] + 0.5 * qh.minimiser->x[j], 0, 1e-12);
}

TEST(Problem, TheMinimiserWithL1SatisfiesItsOptimalityConditions) {  // 0 in grad f + lambda d||x||_1
  for (const auto& [problem, lambda] : {std::pair{QH(), 0.5}, std::pair{LR2(), 0.01}}) {
    const std::vector<double> x = Minimise(problem, {Prox::Kind::kL1, lambda}).x, gradient = problem.Gradient(x);
    for (size_t j = 0; j < x.size(); ++j) {
      if (x[j] == 0)
        EXPECT_LE(std::abs(gradient[j]), lambda);
      else
        EXPECT_NEAR(gradient[j], std::copysign(lambda, -x[j]), 1e-12);
    }
  }
}

/// With features in another unit x is in its inverse, and nothing else changes.
TEST(Problem, TheMinimumKnowsNoUnits) {
  const Problem plain = LR();
  for (const double unit : {1e-9, 1e-3, 1e3, 1e6, 1e12}) {
    const Problem scaled = LogisticRegression(LRSamples(unit), 5, 0.1 * unit * unit, Regulariser::kRidge);
    EXPECT_NEAR(scaled.minimiser->value, plain.minimiser->value, 1e-13) << unit;
    for (size_t j = 0; j < 10; ++j) EXPECT_NEAR(unit * scaled.minimiser->x[j], plain.minimiser->x[j], 1e-12) << unit;
    const Prox l1{Prox::Kind::kL1, 0.01 * unit};
    const Minimiser sparse = Minimise(scaled, l1), expected = Minimise(plain, {Prox::Kind::kL1, 0.01});
    EXPECT_NEAR(sparse.value, expected.value, 1e-12) << unit;
  }
}

/// As LIBSVM's unscaled sets have them: columns from 1 to 1e5, lambda from L / 1e4 down to next to nothing.
TEST(Problem, ColumnsOfAnyUnitsHaveAMinimum) {
  for (const double lambda : {0.0, 1e-6, 1e-2, 1e2}) {
    auto rows = std::make_shared<LabelledRows>(*LRSamples(1));
    for (size_t k = 0; k < rows->value.size(); ++k) rows->value[k] *= std::pow(10.0, rows->column[k] * 5 / 9.0);
    const Problem problem = LogisticRegression(rows, 5, lambda, Regulariser::kRidge);
    const std::vector<double> gradient = problem.Gradient(problem.minimiser->x);
    // f - f* <= ||grad f||^2 / (2 mu)
    EXPECT_LT(Dot(gradient, gradient) / (2 * problem.strong_convexity), 1e-15) << lambda;
  }
}

TEST(Problem, FeaturesWhoseSquaresOverflowAreRefused) {
  EXPECT_THROW(LogisticRegression(LRSamples(1e200), 5, 0, Regulariser::kRidge), ConfigError);
}

TEST(Problem, ANonConvexOneHasNoKnownMinimiser) {
  const Problem problem = NonConvexLR();
  EXPECT_FALSE(problem.minimiser);
  EXPECT_EQ(problem.strong_convexity, 0);
}

TEST(Problem, OneWithoutAMinimiserIsRefused) {  // f(x) = -x
  Problem linear;
  linear.workers = {MakeQuadratic({0}, {1}, {0})};
  linear.start = {0};
  EXPECT_THROW(Minimise(linear), Error);
}

}  // namespace
}  // namespace gradwire
