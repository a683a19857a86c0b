// SPDX-License-Identifier: Apache-2.0
// Known answers of the model round: Local-SGD and its shifts (Gorbunov, Hanzely, Richtarik, AISTATS 2021, arXiv
// 2011.02828), post-local SGD, the outer optimizer. A reference is what a run of the recursion gave, written in numpy
// apart from this code.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "problem/quadratic.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrace;
using testing::ConvexTrial;

ConvexTrial Local(Problem problem, double lr, int steps, LocalConfig local) {
  ConvexTrial trial{std::make_shared<Problem>(std::move(problem)), Comm("none", "identity"), lr, steps};
  trial.local = std::move(local);
  return trial;
}

double LateMean(const std::vector<double>& distances) {
  const auto first = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() * 3 / 4);
  return std::accumulate(first, distances.end(), 0.0) / static_cast<double>(distances.end() - first);
}

/// f_i = a_i (x - c_i)^2 / 2 for a = (1, 4), c = (0, 1): x* = 0.8.
Problem TwoScalars() {
  Problem problem;
  problem.workers = {MakeQuadratic({1}, {0}, {0}), MakeQuadratic({4}, {4}, {0})};
  problem.start = {0};
  problem.minimiser = {{0.8}, 0};
  return problem;
}

TEST(LocalSgd, OneStepIsTheGradientRoundBitForBit) {
  for (const auto& [method, compressor] : {std::pair{"none", "identity"}, {"ef", "topk:2"}, {"dore", "terngrad"}}) {
    ConvexTrial trial = Local(QH(), 0.01, 50, {.sync_every = 1});
    trial.comm = Comm(method, compressor);
    const ConvexTrace one = testing::Run(trial);
    trial.local = LocalConfig{.random = 1};
    const ConvexTrace coin = testing::Run(trial);
    trial.local.reset();
    EXPECT_EQ(one.x, testing::Run(trial).x) << method;
    EXPECT_EQ(coin.x, one.x) << method;
  }
}

/// On quadratics (I - mean (I - lr A_i)^tau)^-1 mean A_i^-1 (I - (I - lr A_i)^tau) b_i, which is not x*.
TEST(LocalSgd, FixedPointIsBiasedAsInClosedForm) {
  const ConvexTrace trace = testing::Run(Local(TwoScalars(), 0.1, 500, {.sync_every = 5}));
  EXPECT_NEAR(trace.x[0], 0.6925023465365121, 1e-12);
  EXPECT_TRUE(trace.replicas_agree);
  EXPECT_NEAR(testing::Run(Local(QH(), 0.01, 6000, {.sync_every = 10})).distances.back(), 0.41575629012954, 1e-10);
}

TEST(LocalSgd, CompressedDifferencesReachTheSameFixedPoint) {  // EF21 learns differences that do not change
  ConvexTrial trial = Local(QH(), 0.01, 20000, {.sync_every = 10});
  trial.comm = Comm("ef21", "topk:2");
  const ConvexTrace trace = testing::Run(trial);
  EXPECT_NEAR(trace.distances.back(), 0.41575629012954, 1e-8);
  EXPECT_TRUE(trace.replicas_agree);
}

TEST(LocalSgd, EveryWayBackKeepsReplicas) {
  for (const char* down : {"raw", "ef"}) {
    ConvexTrial trial = Local(QH(), 0.01, 100, {.sync_every = 10});
    trial.comm = Comm("ef", "topk:4");
    trial.comm.topology = "sharded", trial.comm.down = down, trial.comm.down_compressor = "topk:4";
    EXPECT_TRUE(testing::Run(trial).replicas_agree) << down;
  }
}

TEST(LocalSgd, RandomAgreementsComeByOneCoin) {  // near the fixed point of tau = 1/p
  ConvexTrial trial = Local(QH(), 0.001, 20000, {.random = 0.1});
  const ConvexTrace trace = testing::Run(trial);
  EXPECT_GT(LateMean(trace.distances), 0.02);
  EXPECT_LT(LateMean(trace.distances), 0.2);
  const auto changes = [&] {
    int count = 0;
    for (size_t k = 1; k < 1001; ++k) count += trace.distances[k] != trace.distances[k - 1];
    return count;
  }();
  EXPECT_NEAR(changes, 100, 30);  // 1000 coins of 0.1: 3 standard deviations
}

struct Shifted {
  const char* estimator;
  bool star_shift;
};

ConvexTrace RunShifted(const Shifted& method) {
  ConvexTrial trial = Local(QH(), 0.005, 4000, {.sync_every = 10});
  trial.estimator.name = method.estimator;
  trial.estimator.star_shift = method.star_shift;
  return testing::Run(trial);
}

/// Local-SVRG stalls at 0.21, S*-Local-SGD at 0.08; S*-Local-SGD* needs 1006 steps to 1e-10 (references on QH).
TEST(LocalSgd, ShiftsByTheSolutionTakeAwayWhatTheyAreFor) {
  EXPECT_NEAR(LateMean(RunShifted({"lsvrg", false}).distances), 0.21, 0.05);
  EXPECT_NEAR(LateMean(RunShifted({"sgd", true}).distances), 0.08, 0.05);
  const ConvexTrace star = RunShifted({"star", true});
  EXPECT_NEAR(star.RoundsTo(1e-10), 1006, 60);
}

TEST(SSLocalSgd, LearnedShiftsTakeAwayTheBias) {  // on QH, lr = 0.005, p = 0.1: reference 951 steps
  const ConvexTrace trace = testing::Run(Local(QH(), 0.005, 3000, {.random = 0.1, .shift = "learn"}));
  EXPECT_NEAR(trace.RoundsTo(1e-10), 951, 200);
  EXPECT_TRUE(trace.replicas_agree || trace.distances.back() < 1e-10);
}

TEST(SSLocalSgd, ModelsAndShiftsHaveMemoryOfTheirOwn) {  // each EF21's estimate is of one kind of vector
  ConvexTrial trial = Local(QH(), 0.005, 20000, {.random = 0.1, .shift = "learn"});
  trial.comm = Comm("ef21", "topk:4");
  const ConvexTrace trace = testing::Run(trial);
  EXPECT_LT(trace.distances.back(), 1e-10);
}

TEST(SLocalSvrg, IsLinearWithAnAnchorAtTheMean) {  // on QH, q = 1/8: reference 956 steps
  ConvexTrial trial = Local(QH(), 0.005, 3000, {.random = 0.1, .shift = "anchor", .anchor_p = 0.125});
  trial.estimator.name = "anchored";
  const ConvexTrace trace = testing::Run(trial);
  EXPECT_NEAR(trace.RoundsTo(1e-10), 956, 250);
  trial.local->anchor_p = 0;  // at x^0 for ever: the noise stays
  EXPECT_GT(testing::Run(trial).distances.back(), 1e-3);
}

/// Algorithm 32 of arXiv 2011.02828, y^{k+1} = mean x_i^k, which the step k itself does not see: against the recursion,
/// with all samples in every batch.
TEST(SLocalSvrg, TheAnchorIsTheMeanOfAllWorkersPointsBeforeTheStep) {
  const auto problem = std::make_shared<Problem>(QH());
  const size_t n = problem->workers.size(), d = problem->dimension();
  constexpr double kLr = 0.02, kMoves = 0.4;  // the anchor stays meanwhile, so that the workers part
  std::vector<std::vector<double>> x(n, problem->start), gradients(n, std::vector<double>(d));
  std::vector<double> y = problem->start, own(d);
  std::vector<double> expected = {problem->Distance(y)};
  for (int k = 0; k < 12; ++k) {
    std::vector<double> mean(d), before(d);
    const std::vector<double> at_anchor = problem->Gradient(y);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < d; ++j) before[j] += x[i][j] / static_cast<double>(n);
      problem->workers[i]->Gradient(x[i], gradients[i]);
      problem->workers[i]->Gradient(y, own);
      for (size_t j = 0; j < d; ++j) x[i][j] -= kLr * (gradients[i][j] - own[j] + at_anchor[j]);
      for (size_t j = 0; j < d; ++j) mean[j] += x[i][j] / static_cast<double>(n);
    }
    if (k % 3 == 2) x.assign(n, mean);
    expected.push_back(k % 3 == 2 ? problem->Distance(mean) : expected.back());
    if (Philox(1, Purpose::kSample, ~uint32_t{0}, static_cast<uint64_t>(k)).Uniform() < kMoves) y = before;
  }
  ConvexTrial trial = Local(QH(), kLr, 12, {.sync_every = 3, .shift = "anchor", .anchor_p = kMoves});
  trial.estimator.name = "anchored", trial.estimator.sampling = "nice", trial.estimator.batch = 8;
  const ConvexTrace trace = testing::Run(trial);
  for (size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(trace.distances[k], expected[k], 1e-12) << k;
}

TEST(GradSkip, WithoutSkippingIsGradientDescent) {  // Maranjyan et al. 2022, arXiv 2210.16402: p = 1, q = 1
  const ConvexTrace skip = testing::Run(Local(QH(), 0.1, 30, {.random = 1, .shift = "skip"}));
  const ConvexTrace descent = testing::Run(Local(QH(), 0.1, 30, {.sync_every = 1}));
  for (size_t j = 0; j < skip.x.size(); ++j) EXPECT_NEAR(skip.x[j], descent.x[j], 1e-14);
}

/// p = 1 / sqrt(kappa_max), q_i = (1 - 1 / kappa_i) / (1 - 1 / kappa_max), with kappa = 1000 and nine times 5.
LocalConfig GradSkipOnQk(bool skips) {
  LocalConfig config{.random = 1 / std::sqrt(1000.0), .shift = "skip"};
  if (skips) config.gradient_p.assign(10, (1 - 1 / 5.0) / (1 - 1 / 1000.0)), config.gradient_p[0] = 1;
  return config;
}

int Agreements(const ConvexTrace& trace) {
  int count = 0;
  for (size_t k = 1; k < trace.distances.size(); ++k) count += trace.distances[k] != trace.distances[k - 1];
  return count;
}

TEST(GradSkip, IsLinearOnQkAndGoodWorkersRest) {  // references 7985 steps with 268 agreements; ProxSkip 8651 with 265
  const int steps = 12000;
  const ConvexTrace grad_skip = testing::Run(Local(QK(), 1e-3, steps, GradSkipOnQk(true)));
  const ConvexTrace prox_skip = testing::Run(Local(QK(), 1e-3, steps, GradSkipOnQk(false)));
  for (const ConvexTrace* trace : {&grad_skip, &prox_skip}) {
    const int rounds = trace->RoundsTo(1e-10);
    EXPECT_GT(rounds, 5000);
    EXPECT_LT(rounds, 11000);
  }
  // E gradients an agreement = 1 / (1 - (1 - p) q_i): 31.62 and 4.45, within 15 %.
  const double agreements = Agreements(grad_skip);
  EXPECT_NEAR(agreements, steps / std::sqrt(1000.0), 60);
  EXPECT_NEAR(grad_skip.all_passes[0] / agreements, 31.62, 31.62 * 0.15);
  for (size_t i = 1; i < 10; ++i) EXPECT_NEAR(grad_skip.all_passes[i] / agreements, 4.45, 4.45 * 0.15) << i;
}

/// f_i with the ridge decay ||x||^2 / 2 that the step adds by itself, as an optimizer's weight decay.
class Decayed final : public ConvexWorker {
 public:
  Decayed(std::shared_ptr<const Problem> problem, size_t worker, double decay)
      : ConvexWorker(std::move(problem), worker), decay_(decay) {}
  void AddDecay() override {
    for (size_t j = 0; j < x().size(); ++j) gradient()[0][j] += decay_ * x()[j];
  }
  void Step(double lr) override {
    AddDecay();
    ConvexWorker::Step(lr);
  }

 private:
  double decay_;
};

/// x* of f + 0.5 ||x||^2 / 2 for f_i = a_i (x - c_i)^2 / 2: (a_1 c_1 + a_2 c_2) / (a_1 + a_2 + 2 * 0.5) = 2/3.
TEST(GradSkip, WorkersThatRestKnowTheWeightDecay) {
  const auto problem = std::make_shared<Problem>(TwoScalars());
  const LocalConfig config{.random = 0.3, .shift = "skip", .gradient_p = {0.3, 0.9}};
  testing::RunRanks(2, [&](Collective& collective) {
    const auto rank = static_cast<size_t>(collective.rank());
    Decayed f(problem, rank, 0.5);
    Exchange<double> exchange(collective, f.parameters(), MakeParts(Comm("none", "identity"), 1));
    DirectSink<double> sink(exchange);
    ModelRounds<double> rounds(f, sink, config, 1, static_cast<uint32_t>(rank));
    for (uint64_t step = 0; step < 3000; ++step) rounds.Step({step, 0.05});
    EXPECT_NEAR(rounds.agreed()[0][0], 2.0 / 3, 1e-9);
  });
}

/// The first agreement is of the differences themselves where the link opens dense, also after synchronous steps, with
/// which the link's memory ends; what follows is compressed.
TEST(LocalSgd, ALinkThatOpensDenseDoesSoAtTheFirstAgreement) {
  for (const LocalConfig& config :
       {LocalConfig{.sync_every = 5}, LocalConfig{.sync_every = 5, .start_iter = 10}, LocalConfig{.random = 0.3}}) {
    ConvexTrial trial = Local(QH(), 0.01, 30, config);
    std::vector<std::vector<double>> distances;
    for (const char* opening : {"none", "auto", "compressed"}) {
      const bool plain = std::string_view(opening) == "none";
      trial.comm = plain ? Comm("none", "identity") : Comm("ef21", "topk:2");
      if (!plain) trial.comm.opening = opening;
      distances.push_back(testing::Run(trial).distances);
    }
    size_t first = static_cast<size_t>(config.start_iter);  // after it: synchronous rounds of ef21 are compressed
    const std::vector<double>& plain = distances[0];
    while (plain[first + 1] == plain[first]) ++first;
    if (config.start_iter == 0) {
      EXPECT_NEAR(distances[1][first + 1], plain[first + 1], 1e-14);
      EXPECT_GT(std::abs(distances[2][first + 1] - plain[first + 1]), 1e-3);
      EXPECT_GT(std::abs(distances[1].back() - plain.back()), 1e-6);
    } else {
      EXPECT_NE(distances[1][first + 1], distances[2][first + 1]);
    }
  }
}

TEST(PostLocalSgd, IsSynchronousBeforeItBegins) {
  const ConvexTrace local = testing::Run(Local(QH(), 0.01, 60, {.sync_every = 10, .start_iter = 40}));
  ConvexTrial synchronous = Local(QH(), 0.01, 60, {.sync_every = 1});
  const ConvexTrace all = testing::Run(synchronous);
  for (size_t k = 0; k <= 40; ++k) EXPECT_EQ(local.distances[k], all.distances[k]) << k;
  EXPECT_EQ(local.distances[45], local.distances[41]) << "between two agreements the agreed point rests";
  EXPECT_NE(local.distances[50], all.distances[50]);
}

/// The outer optimizer with one local step is gradient descent with momentum: y and m by hand.
TEST(DiLoCo, OuterMomentumIsThatOfSgd) {
  for (const bool nesterov : {false, true}) {
    const LocalConfig config{.sync_every = 1, .outer_lr = 0.7, .outer_momentum = 0.9, .outer_nesterov = nesterov};
    const ConvexTrace trace = testing::Run(Local(TwoScalars(), 0.05, 30, config));
    double y = 0, m = 0;
    for (int k = 0; k < 30; ++k) {
      const double difference = 0.05 * ((y - 0) + 4 * (y - 1)) / 2;
      m = 0.9 * m + difference;
      y -= 0.7 * (nesterov ? difference + 0.9 * m : m);
    }
    EXPECT_NEAR(trace.x[0], y, 1e-13) << nesterov;
  }
}

}  // namespace
}  // namespace gradwire
