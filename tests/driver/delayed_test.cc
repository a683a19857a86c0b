// SPDX-License-Identifier: Apache-2.0
// Known answers of delayed methods (D-SGD and its kin, Gorbunov et al. 2020, arXiv 2010.12292) and of random
// reshuffling. A reference is what a run of the recursion gave, written in numpy apart from this code.
#include <cmath>
#include <memory>
#include <numbers>

#include <gtest/gtest.h>

#include "problem/quadratic.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrial;

TEST(Delayed, EachStepIsAlongTheGradientOfTheRoundBefore) {
  const auto problem = std::make_shared<Problem>(QH());
  constexpr int kDelay = 3, kSteps = 60;
  std::vector<std::vector<double>> points(1, problem->start);
  for (int k = 0; k < kSteps; ++k) {
    std::vector<double> next = points.back();
    if (k >= kDelay) {
      const std::vector<double> gradient = problem->Gradient(points[static_cast<size_t>(k - kDelay)]);
      for (size_t j = 0; j < next.size(); ++j) next[j] -= 0.02 * gradient[j];
    }
    points.push_back(next);
  }
  ConvexTrial trial{problem, Comm("none", "identity"), 0.02, kSteps};
  trial.delay = kDelay;
  const auto trace = testing::Run(trial);
  EXPECT_TRUE(trace.replicas_agree);
  EXPECT_EQ(trace.distances[kDelay], trace.distances[0]);
  for (int k = 0; k <= kSteps; ++k)
    EXPECT_NEAR(trace.distances[static_cast<size_t>(k)], problem->Distance(points[static_cast<size_t>(k)]), 1e-12) << k;
}

/// Of any method: a delay of no rounds adds nothing.
TEST(Delayed, OfNoRoundsIsTheUndelayedMethodBitForBit) {
  const auto problem = std::make_shared<Problem>(LR());
  ConvexTrial trial{problem, Comm("diana", "randk:2"), 0.05, 100};
  trial.estimator.name = "lsvrg";
  std::vector<double> undelayed;
  testing::RunRanks(5, [&](Collective& collective) {
    const auto rank = static_cast<size_t>(collective.rank());
    ConvexWorker f(problem, rank, MakeEstimator(trial.estimator, problem, rank, trial.seed));
    Exchange<double> exchange(collective, f.parameters(), MakeParts(trial.comm, trial.seed));
    DirectSink<double> sink(exchange);
    for (uint64_t step = 0; step < 100; ++step) GradientRound<double>(f, sink, {step, trial.lr});
    if (rank == 0) undelayed = f.x();
  });
  EXPECT_EQ(testing::Run(trial).x, undelayed);
  trial.delay = 1;
  EXPECT_NE(testing::Run(trial).x, undelayed);
}

/// f = h x^2 / 2 on one worker, from 1.
std::shared_ptr<const Problem> Parabola(double h) {
  Problem problem;
  problem.workers.push_back(MakeQuadratic({h}, {0}, {0}));
  problem.start = {1};
  problem.minimiser = Minimiser{{0}, 0};
  return std::make_shared<Problem>(problem);
}

TEST(Delayed, IsStableExactlyBelowItsThreshold) {  // lr h < 2 sin(pi / (2 (2 tau + 1)))
  constexpr double kCurvature = 2;
  for (const auto& [delay, threshold] : {std::pair{1, 1.0}, {2, 0.6180339887}, {5, 0.2846296765}, {20, 0.0766054674}}) {
    EXPECT_NEAR(threshold, 2 * std::sin(std::numbers::pi / (2 * (2 * delay + 1))), 1e-9);
    for (const double share : {0.98, 1.02}) {
      ConvexTrial trial{Parabola(kCurvature), Comm("none", "identity"), share * threshold / kCurvature, 20000};
      trial.delay = delay;
      const double end = testing::Run(trial).distances.back();
      if (share < 1)
        EXPECT_LT(end, 1e-3) << delay;
      else
        EXPECT_GT(end, 1e3) << delay;
    }
  }
}

/// On LR at 0.03 / max L_il, five rounds late.
testing::ConvexTrace RunLate(const CommConfig& comm, const char* estimator, int steps) {
  const auto problem = std::make_shared<Problem>(LR());
  ConvexTrial trial{problem, comm, 0.03 / problem->max_sample_smoothness, steps};
  trial.estimator.name = estimator;
  trial.delay = 5;
  return testing::Run(trial);
}

TEST(Delayed,
     MethodsConvergeWhereTheirUndelayedFormsDo) {  // references 8104 and 8097 rounds; stalls at 0.045 and 0.065
  const int lsvrg = RunLate(Comm("none", "identity"), "lsvrg", 12000).RoundsTo(1e-10);
  EXPECT_GT(lsvrg, 5000);
  EXPECT_LT(lsvrg, 12000);
  const int diana = RunLate(Comm("diana", "randk:2"), "lsvrg", 12000).RoundsTo(1e-10);
  EXPECT_GT(diana, 5000);
  EXPECT_LT(diana, 12000);
  EXPECT_GT(RunLate(Comm("dcgd", "randk:2"), "lsvrg", 12000).distances.back(), 1e-3);
  EXPECT_GT(RunLate(Comm("none", "identity"), "sgd", 12000).distances.back(), 1e-3);
}

/// One worker whose samples are the functions of a problem's workers.
class AsSamples final : public FiniteSum {
 public:
  explicit AsSamples(const Problem& problem) : problem_(problem) {}
  size_t dimension() const override { return problem_.dimension(); }
  size_t samples() const override { return problem_.workers.size(); }
  double Value(std::span<const double> x) const override { return problem_.Value(x); }
  double Value(std::span<const Draw> draws, std::span<const double> x) const override {
    double value = 0;
    for (const Draw& draw : draws) value += draw.weight * problem_.workers[draw.sample]->Value(x);
    return value;
  }
  void Gradient(std::span<const double> x, std::span<double> out) const override {
    std::ranges::copy(problem_.Gradient(x), out.begin());
  }
  void AddGradient(std::span<const Draw> draws, std::span<const double> x, std::span<double> out) const override {
    std::vector<double> gradient(dimension());
    for (const Draw& draw : draws) {
      problem_.workers[draw.sample]->Gradient(x, gradient);
      for (size_t j = 0; j < out.size(); ++j) out[j] += draw.weight * gradient[j];
    }
  }
  void AddPackedHessian(std::span<const double> x, double weight, std::span<double> out) const override {
    for (const auto& worker : problem_.workers)
      worker->AddPackedHessian(x, weight / static_cast<double>(samples()), out);
  }
  void AddCurvature(double weight, std::span<double> out) const override {
    for (const auto& worker : problem_.workers) worker->AddCurvature(weight / static_cast<double>(samples()), out);
  }
  double SampleSmoothness(size_t sample) const override { return problem_.worker_smoothness[sample]; }

 private:
  const Problem problem_;
};

/// ||x - x*|| after 8 / lr steps on QH as a sum of ten samples, mean over twelve seeds.
double Wander(const char* sampling, double lr) {
  Problem problem = QH();
  const Problem parts = problem;
  problem.workers = {std::make_shared<AsSamples>(parts)};
  const auto shared = std::make_shared<Problem>(problem);
  double sum = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    ConvexTrial trial{shared, Comm("none", "identity"), lr, static_cast<int>(std::lround(8 / lr))};
    trial.estimator.name = "sgd", trial.estimator.sampling = sampling;
    trial.seed = seed;
    sum += testing::Run(trial).distances.back();
  }
  return sum / 12;
}

TEST(Reshuffling, ComesNearerThanDrawingWithReplacement) {  // references of shuffle_once; reshuffling has at most half
  const std::vector<double> steps = {0.004, 0.002, 0.001}, once_expected = {0.106, 0.0527, 0.0263};
  for (size_t i = 0; i < steps.size(); ++i) {
    const double once = Wander("shuffle_once", steps[i]);
    EXPECT_NEAR(once, once_expected[i], 0.2 * once_expected[i]) << steps[i];
    EXPECT_LT(Wander("reshuffle", steps[i]), once / 2) << steps[i];
    EXPECT_GT(Wander("uniform", steps[i]), 0.2) << steps[i];
  }
}

}  // namespace
}  // namespace gradwire
