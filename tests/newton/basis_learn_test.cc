// SPDX-License-Identifier: Apache-2.0
// Basis Learn (Qian, Islamov, Safaryan & Richtarik 2022, arXiv 2111.01847) on LR3, whose workers' Hessians change in 3
// of 10 dimensions; numbers without a limit are those of the rules in numpy.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <Eigen/Eigenvalues>

#include "base/symmetric.h"
#include "gradwire/error.h"
#include "newton/basis.h"
#include "problem/linear_model.h"
#include "support/newton.h"

namespace gradwire {
namespace {

using testing::Lr2Near;
using testing::NewtonTrace;

constexpr double kNear = 1e-10;

std::shared_ptr<const Problem> Lr3Near() {
  Problem problem = LinearProblem(LR3Samples(), 5, *FindLoss("logistic"), 0.01);
  problem.start = problem.minimiser->x;
  for (size_t j = 0; j < problem.start.size(); ++j) problem.start[j] += 0.1 * std::cos(static_cast<double>(j));
  return std::make_shared<const Problem>(std::move(problem));
}

NewtonTrace Of(NewtonConfig newton, std::shared_ptr<const Problem> problem, int steps, uint64_t seed = 1) {
  return testing::Run({.problem = std::move(problem), .newton = std::move(newton), .steps = steps, .seed = seed});
}

/// Reached, and in so many rounds.
bool IsWithin(int rounds, int limit) { return rounds >= 0 && rounds <= limit; }

TEST(DataBasis, ChangesOfHessiansGoAndComeBack) {
  const auto problem = Lr3Near();
  const DataBasis basis(*problem);
  ASSERT_EQ(basis.order(), 3u);
  for (uint32_t i = 0; i < 5; ++i) {
    std::vector<double> change(55), image(6), back(55);
    problem->workers[i]->AddPackedHessian(problem->start, 1, change);
    problem->workers[i]->AddPackedHessian(std::vector<double>(10), -1, change);
    basis.Forward(i, change, image);
    basis.Back(i, image, back);
    double length = 0, of_image = 0;
    for (const double v : change) length += v * v;
    for (const double v : image) of_image += v * v;
    EXPECT_NEAR(std::sqrt(of_image), std::sqrt(length), 1e-13);
    EXPECT_GT(length, 1e-4);
    for (size_t k = 0; k < 55; ++k) EXPECT_NEAR(back[k], change[k], 1e-13);
  }
}

TEST(DataBasis, OfHessiansThatChangeAnyhowIsRefused) {
  const auto problem = std::make_shared<const Problem>(SoftmaxProblem(LRSamples(1), 5, 1, 0.1));
  try {
    MakeNewtonParts({.basis = "data"}, *problem, 1);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.key(), "newton.basis");
    EXPECT_THAT(error.what(), ::testing::HasSubstr("expected standard"));
  }
}

/// (1, 2; 2, 7) = 2 (e_1 + e_2)(e_1 + e_2)^T - e_1 e_1^T + 5 e_2 e_2^T.
TEST(PositiveBasis, ByHand) {
  const double root = std::sqrt(2);
  const PositiveBasis basis;
  std::vector<double> image(3), back(3);
  basis.Forward(0, std::vector<double>{1, 2 * root, 7}, image);
  EXPECT_NEAR(image[0], -1, 1e-15);
  EXPECT_NEAR(image[1], 2 * root, 1e-15);
  EXPECT_NEAR(image[2], 5, 1e-15);
  basis.Back(0, image, back);
  EXPECT_NEAR(back[0], 1, 1e-15);
  EXPECT_NEAR(back[2], 7, 1e-15);
}

TEST(BL1, LearnsTheFewNumbersThatChange) {
  const NewtonConfig plain = {.method = "bl1", .compressor = "topk:3", .model = "identity", .gradient_p = 1};
  EXPECT_EQ(Of(plain, Lr3Near(), 60).RoundsTo(kNear), 7);
  for (const uint64_t seed : {1, 2, 3})
    EXPECT_TRUE(IsWithin(
        Of({.method = "bl1", .compressor = "topk:3", .model = "topk:5"}, Lr3Near(), 100, seed).RoundsTo(kNear), 45));
}

/// What a worker sends: the opening, V_i once, and of each later round 3 of 6 numbers with their places.
TEST(BL1, SendsItsBasisOnce) {
  const NewtonTrace trace =
      Of({.method = "bl1", .compressor = "topk:3", .model = "identity", .gradient_p = 1}, Lr3Near(), 5);
  const uint64_t opening = 55 * 32, basis = 3 * 10 * 32, gradients = 5 * 10 * 32, later = 4 * 3 * (32 + 3);
  for (const ExchangeStats& sent : trace.sent) EXPECT_EQ(sent.paper_bits, opening + basis + gradients + later);
}

TEST(BL1, InTheStandardBasisIsFedNLBC) {
  const NewtonTrace bl1 =
      Of({.method = "bl1", .compressor = "topk:10", .basis = "standard", .model = "topk:5"}, Lr2Near(), 30);
  const NewtonTrace bc = Of({.method = "fednl_bc", .compressor = "topk:10", .model = "topk:5"}, Lr2Near(), 30);
  for (size_t k = 0; k < bl1.points.size(); ++k)
    for (size_t j = 0; j < 10; ++j) EXPECT_NEAR(bl1.points[k][j], bc.points[k][j], 1e-14);
  EXPECT_GT(bl1.distances[2], 1e-6) << "there is something to compare";
}

/// The authors' Top-3 keeps 3 of the 9 entries, an off-diagonal one and its mirror each counted: 2 of a triangle's 6.
TEST(BL2, OfSomeWorkersARoundConverges) {
  NewtonConfig all = {
      .method = "bl2", .compressor = "topk:2", .model = "identity", .gradient_p = 1, .participation = "all"};
  EXPECT_EQ(Of(all, Lr3Near(), 60).RoundsTo(kNear), 10);
  all.compressor = "topk:3";
  EXPECT_EQ(Of(all, Lr3Near(), 60).RoundsTo(kNear), 8);
  for (const uint64_t seed : {1, 2, 3}) {
    const NewtonConfig some = {.method = "bl2", .compressor = "topk:2", .model = "topk:5", .participation = "nice:40%"};
    EXPECT_TRUE(IsWithin(Of(some, Lr3Near(), 200, seed).RoundsTo(kNear), 200));
  }
}

TEST(BL3, Converges) {
  const NewtonConfig all = {
      .method = "bl3", .compressor = "topk:10", .model = "identity", .gradient_p = 1, .participation = "all"};
  EXPECT_EQ(Of(all, Lr3Near(), 100).RoundsTo(kNear), 19);
  for (const uint64_t seed : {1, 2, 3}) {
    const NewtonConfig some = {
        .method = "bl3", .compressor = "topk:10", .model = "topk:5", .participation = "nice:40%"};
    EXPECT_TRUE(IsWithin(Of(some, Lr3Near(), 300, seed).RoundsTo(kNear), 300));
  }
}

/// B = beta mean A_i - mean C_i of what the channels hold, less the mean of hess f_i(z_i), has no negative eigenvalue
/// in any round.
TEST(BL3, StepsByNoLessThanTheMeanHessian) {
  const auto problem = Lr3Near();
  const NewtonParts parts = MakeNewtonParts(
      {.method = "bl3", .compressor = "topk:10", .model = "topk:5", .participation = "nice:40%"}, *problem, 1);
  JointExchange<double> exchange(5, 1, testing::PointOf(*problem), NewtonGradientParts(parts, {}));
  const auto peers = MakePeers(exchange);
  const auto rounds = MakeNewtonRounds(*peers, problem, parts);
  double least = INFINITY;
  for (uint64_t step = 0; step < 40; ++step) {
    rounds->Step(step);
    const double beta = 5 * std::ranges::max(peers->HeldMean(kErrors)), gamma = peers->HeldMean(kScaled)[10];
    std::vector<double> mean(55), whole(100), held(100);
    for (size_t i = 0; i < 5; ++i) problem->workers[i]->AddPackedHessian(rounds->Save(i).z, 0.2, mean);
    UnpackSymmetric<double>(10, mean, whole);
    UnpackSymmetric<double>(10, peers->HeldMean(kHessians), held);
    Eigen::MatrixXd rest(10, 10);
    for (Eigen::Index j = 0; j < 10; ++j)
      for (Eigen::Index l = 0; l < 10; ++l) {
        const auto at = static_cast<size_t>(10 * j + l);
        rest(j, l) = beta * held[at] + 2 * (beta - 1) * gamma * (j == l ? 10 : 1) - whole[at];
      }
    const double smallest = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(rest).eigenvalues()[0];
    EXPECT_GE(smallest, -1e-12) << step;
    if (step > 0) least = std::min(least, smallest);
  }
  EXPECT_LT(least, 1) << "and not by much more";
}

}  // namespace
}  // namespace gradwire
