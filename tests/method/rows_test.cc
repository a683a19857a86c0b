// SPDX-License-Identifier: Apache-2.0
// Each method's acceptance number on QH, Q3 and LR, and the equalities between methods. A reference is what a run of
// the paper's own recursion gave, written in numpy apart from this code; the papers are those of src/method/rows.cc.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;

constexpr double kMaxL = 10, kWorkers = 10;                          // of QH
constexpr double kDianaStep = 1 / (kMaxL * (1 + 6 * 9 / kWorkers));  // Rand-2 of 20: omega = 9

/// The middle of the steps that DORE's theory allows on QH (mu_i >= 1, L_i <= 10), for its alpha, beta and eta.
double DoreStep(double omega) {
  const double mu = 1, c_alpha = 2 * omega / kWorkers, eta = (std::sqrt(omega * omega + 2) - omega) / (2 * omega);
  return (eta * (mu + kMaxL) / (2 * (1 + eta) * mu * kMaxL) + 2 / ((1 + c_alpha) * (mu + kMaxL))) / 2;
}

/// gamma = 1 / (L (1 + sqrt((1 - p) omega / (p n)))), L^2 the mean of L_i^2 (at most 10 each).
double MarinaStep(double omega) { return 1 / (kMaxL * (1 + std::sqrt(omega * omega / kWorkers))); }

/// gamma = 1 / (L (1 + sqrt((1 - p) (1 + omega) / (p r)))), p = r / (n (1 + omega)).
double PpMarinaStep(double omega, double r) {
  const double p = r / (kWorkers * (1 + omega));
  return 1 / (kMaxL * (1 + std::sqrt((1 - p) * (1 + omega) / (p * r))));
}

testing::ConvexTrace Descend(const CommConfig& comm, double lr, int steps, Problem problem = QH()) {
  const EstimatorConfig estimator = UsualEstimator(FindMethod(comm.method));
  const auto trace = testing::Run({std::make_shared<Problem>(std::move(problem)), comm, lr, steps, estimator});
  EXPECT_TRUE(trace.replicas_agree);
  return trace;
}

CommConfig With(const char* method, const char* compressor, std::string CommConfig::*key, const char* value) {
  CommConfig comm = Comm(method, compressor);
  comm.*key = value;
  return comm;
}

constexpr double kLij = 2.264131689450833;  // of LR
Problem Lr() { return LR(); }

/// A method reaches 1e-10 in about so many rounds. The deterministic ones within `slack` rounds; those that draw random
/// bits between a third of them and three times as many.
struct Acceptance {
  const char* name;
  CommConfig comm;
  double lr;
  int rounds;
  int slack = -1;
  Problem (*problem)() = QH;
};

void PrintTo(const Acceptance& a, std::ostream* out) { *out << a.comm.method << " " << a.comm.compressor; }

class Rows : public ::testing::TestWithParam<Acceptance> {};

TEST_P(Rows, ReachTheSolutionInTheRoundsOfTheReference) {
  const Acceptance& a = GetParam();
  const int least = a.slack >= 0 ? a.rounds - a.slack : a.rounds / 3,
            most = a.slack >= 0 ? a.rounds + a.slack : 3 * a.rounds;
  const int found = Descend(a.comm, a.lr, most + 1, a.problem()).RoundsTo(1e-10);
  EXPECT_GE(found, least);
  EXPECT_LE(found, most);
}

INSTANTIATE_TEST_SUITE_P(
    , Rows,
    ::testing::Values(
        Acceptance{"ef21", Comm("ef21", "topk:2"), 0.02, 185, 0},
        Acceptance{"ef21_compressed_opening", With("ef21", "topk:2", &CommConfig::opening, "compressed"), 0.02, 183, 0},
        Acceptance{"econtrol", Comm("econtrol", "topk:2"), 0.02, 310, 1},
        Acceptance{"econtrol_small_eta", With("econtrol", "topk:2", &CommConfig::eta, "0.01"), 0.02, 1995, 1},
        // Appendix C of EControl (Gao et al. 2024, arXiv 2311.05645), eta = delta = 1/3: deterministic, by numpy.
        Acceptance{"econtrol_two_tilts", Comm("econtrol", "topk:1"), 0.1, 239, 0, TwoTilts},
        Acceptance{"econtrol_two_tilts_small_step", Comm("econtrol", "topk:1"), 0.03, 806, 0, TwoTilts},
        Acceptance{"diana_randk", Comm("diana", "randk:2"), kDianaStep, 402},
        Acceptance{"diana_ternary_2", Comm("diana", "dithering:2:1"),
                   1 / (kMaxL * (1 + 6 * (std::sqrt(20) - 1) / kWorkers)), 168},
        Acceptance{"diana_ternary_inf", Comm("diana", "terngrad"),
                   1 / (kMaxL * (1 + 3 * (std::sqrt(20) - 1) / kWorkers)), 91},
        Acceptance{"diana_natural", Comm("diana", "natural"), 1 / (kMaxL * (1 + 0.75 / kWorkers)), 40},
        Acceptance{"diana_dq", With("diana_dq", "randk:2", &CommConfig::down_compressor, "randk:10"), 1.0 / 128, 660},
        Acceptance{"marina", Comm("marina", "randk:2"), MarinaStep(9), 297},
        Acceptance{"pp_marina", With("pp_marina", "randk:2", &CommConfig::participation, "iid:40%"), PpMarinaStep(9, 4),
                   641},
        Acceptance{"ec_diana", With("ec_diana", "topk:2", &CommConfig::learner, "randk:2"), 0.02, 304},
        Acceptance{"dore_rand10", Comm("dore", "randk:10"), DoreStep(1), 129},
        Acceptance{"dore_rand2", Comm("dore", "randk:2"), DoreStep(9), 2826},
        Acceptance{"dore_ternary", Comm("dore", "terngrad"), 0.10225, 251},
        Acceptance{"dore_natural", Comm("dore", "natural"), DoreStep(0.125), 52},
        Acceptance{"ec_star", Comm("ec_star", "topk:2"), 0.02, 201, 1},
        Acceptance{"ec_lsvrg_star", Comm("ec_lsvrg_star", "topk:1"), 0.1 / kLij, 2420, -1, Lr},
        Acceptance{"ec_lsvrg_diana", With("ec_lsvrg_diana", "topk:1", &CommConfig::learner, "randk:1"), 0.1 / kLij,
                   2417, -1, Lr},
        Acceptance{"vr_diana", Comm("vr_diana", "randk:2"), 1 / (6 * kLij * (1 + 4.0 / 5)), 2661, -1, Lr},
        // Their recursions are deterministic. The K of a round is 6.0 of 10 on average in the reference.
        Acceptance{"adaptive_topk", Comm("adaptive_topk", "topk:10:counted"), 0.02, 230, 2},
        Acceptance{"adaptive_topk_of_few", Comm("adaptive_topk", "topk:2:counted"), 0.02, 190, 2},
        Acceptance{"3pcv1", Comm("3pcv1", "topk:2"), 0.02, 229, 1},
        Acceptance{"3pcv1_large_step", Comm("3pcv1", "topk:2"), 0.1, 57, 1},
        // In six bases of the reference's own: 155 to 164 rounds.
        Acceptance{"ef21_rotated", Comm("ef21", "rotate(topk:2)"), 0.02, 159},
        // No references: about as fast as ef21, whose rate their theory shares.
        Acceptance{"lag", Comm("lag", "identity"), 0.1, 35}, Acceptance{"clag", Comm("clag", "topk:2"), 0.02, 185},
        Acceptance{"cbag", Comm("cbag", "topk:2"), 0.02, 185},
        Acceptance{"3pcv2", With("3pcv2", "topk:2", &CommConfig::learner, "randk:2"), 0.02, 185},
        Acceptance{"clip21", Comm("clip21", "clip:1"), 0.02, 252, 1}),
    [](const auto& info) { return info.param.name; });

TEST(RowsOnQh, Ef21FollowsTheReferenceToTheLastDigits) {  // Richtarik et al. 2021, arXiv 2106.05203: round 50
  EXPECT_NEAR(Descend(Comm("ef21", "topk:2"), 0.02, 50).distances.back(), 1.1189261495958588e-3, 1e-13);
}

TEST(RowsOnQh, EControlNeedsItsControl) {  // Gao et al. 2024, arXiv 2311.05645: the reference diverges by round 130
  EXPECT_GT(Descend(With("econtrol", "topk:2", &CommConfig::eta, "1"), 0.02, 130).distances.back(), 1e3);
}

/// Appendix C of the same: on its example error feedback with Top-1 leaves all step sizes' neighbourhoods.
TEST(RowsOnTwoTilts, EControlFromNothingNeedsItsControl) {
  CommConfig comm = With("econtrol", "topk:1", &CommConfig::eta, "1");
  comm.opening = "compressed";
  EXPECT_GT(Descend(comm, 0.1, 400, TwoTilts()).distances.back(), 1e3);
}

TEST(RowsOnQh, DcgdKeepsTheNoiseThatDianaRemoves) {  // the reference stays near 1.3
  const auto stalled = Descend(Comm("dcgd", "randk:2"), 1 / (kMaxL * (1 + 2 * 9 / kWorkers)), 20000);
  EXPECT_EQ(stalled.RoundsTo(1e-3), -1);
  EXPECT_GT(stalled.distances.back(), 0.3);
}

/// They diverge at the step with which own coins converge: omega is not divided by n.
TEST(RowsOnQh, CommonCoinsAreAnotherMethod) {
  EXPECT_GT(Descend(Comm("diana", "randk:2:common"), kDianaStep, 1200).distances.back(), 1e3);
}

TEST(RowsOnQh, DoubleSqueezeStalls) {  // Tang et al. 2019, arXiv 1905.05957: reference 0.29
  const auto trace = Descend(Comm("doublesqueeze", "topk:2"), 0.01, 4000);
  const double mean = std::accumulate(trace.distances.end() - 1000, trace.distances.end(), 0.0) / 1000;
  EXPECT_NEAR(mean, 0.29, 0.12);
}

TEST(RowsOnQh, ClippingNeedsItsFeedback) {  // Khirirat et al. 2023, arXiv 2305.18929: reference without it 0.96
  EXPECT_NEAR(Descend(Comm("dcgd", "clip:1"), 0.02, 2000).distances.back(), 0.96, 0.1);
}

/// Islamov et al. 2025, arXiv 2502.11682, with full gradients and without noise: references of 275, 242 and 2023
/// rounds, deterministic.
TEST(RowsOnQh, Clip21OfMomentaFollowsTheReference) {
  struct Case {
    double beta;
    const char* beta_hat;
    int rounds;
  };
  for (const Case& c : {Case{1, "0.5", 275}, Case{0.5, "0.5", 242}, Case{0.1, "0.1", 2023}}) {
    testing::ConvexTrial trial{std::make_shared<Problem>(QH()),
                               With("clip21_sgd2m", "clip:1", &CommConfig::alpha, c.beta_hat), 0.02, c.rounds + 5};
    trial.comm.ema = std::to_string(c.beta);
    EXPECT_NEAR(testing::Run(trial).RoundsTo(1e-10), c.rounds, 1) << c.beta << " " << c.beta_hat;
  }
}

/// EC-LSVRG, Gorbunov et al. 2020, arXiv 2010.12292: reference 9.8e-3.
TEST(RowsOnLr, EcOfVarianceReducedGradientsStallsWhereWorkersDisagree) {
  const auto trace = Descend(Comm("ec_lsvrg", "topk:1"), 0.1 / kLij, 7000, LR());
  EXPECT_EQ(trace.RoundsTo(1e-3), -1);
  EXPECT_LT(trace.distances.back(), 5e-2);
}

TEST(RowsOnQh, LazyWorkersSendLess) {
  const auto bytes = [](const char* zeta) {
    uint64_t sent = 0;
    testing::RunRanks(10, [&](Collective& collective) {
      ConvexWorker f(std::make_shared<Problem>(QH()), static_cast<size_t>(collective.rank()));
      Exchange<double> exchange(collective, f.parameters(),
                                MakeParts(With("lag", "identity", &CommConfig::zeta, zeta), 1));
      DirectSink<double> sink(exchange);
      for (uint64_t step = 0; step < 100; ++step) GradientRound<double>(f, sink, {step, 0.05});
      if (collective.rank() == 0) sent = exchange.stats().payload_bytes;
    });
    return sent;
  };
  EXPECT_LT(bytes("4"), 0.6 * static_cast<double>(bytes("0")));  // after a message the next two changes may be left out
}

TEST(RowsOnQ3, UnbiasedDcgdConvergesWhereAllGradientsVanish) {  // reference 4040 rounds
  const int rounds = Descend(Comm("dcgd", "randk:1"), 0.005, 12000, Q3()).RoundsTo(1e-10);
  EXPECT_GT(rounds, 1300);
}

// Equalities that follow from the rules of the methods. Those of the same arithmetic hold bit for bit.

TEST(RowsAreEqual, EControlWithoutItsMemoryToEf21) {
  EXPECT_EQ(Descend(With("econtrol", "topk:2", &CommConfig::eta, "0"), 0.02, 200).x,
            Descend(Comm("ef21", "topk:2"), 0.02, 200).x);
}

/// CLAG of zeta = 0 (arXiv 2202.00998) and CBAG of p = 1 (arXiv 2206.03588).
TEST(RowsAreEqual, LazyAggregationThatIsNeverLazyToEf21) {
  const auto ef21 = Descend(Comm("ef21", "topk:2"), 0.02, 200).x;
  EXPECT_EQ(Descend(With("clag", "topk:2", &CommConfig::zeta, "0"), 0.02, 200).x, ef21);
  EXPECT_EQ(Descend(With("cbag", "topk:2", &CommConfig::p, "1"), 0.02, 200).x, ef21);
}

TEST(RowsAreEqual, ClagOfIdentityToLag) {
  EXPECT_EQ(Descend(With("clag", "identity", &CommConfig::zeta, "3"), 0.1, 50).x,
            Descend(With("lag", "identity", &CommConfig::zeta, "3"), 0.1, 50).x);
}

TEST(RowsAreEqual, DianaWithoutShiftsToDcgd) {
  EXPECT_EQ(Descend(With("diana", "randk:2", &CommConfig::alpha, "0"), 0.02, 100).x,
            Descend(Comm("dcgd", "randk:2"), 0.02, 100).x);
}

TEST(RowsAreEqual, EcDianaWithoutShiftsToEc) {
  CommConfig comm = With("ec_diana", "topk:2", &CommConfig::learner, "randk:2");
  comm.alpha = "0";
  EXPECT_EQ(Descend(comm, 0.02, 200).x, Descend(Comm("ec", "topk:2"), 0.02, 200).x);
}

TEST(RowsAreEqual, MarinaOfDenseRoundsToGradientDescent) {
  const auto plain = With("none", "identity", &CommConfig::topology, "allgather");
  EXPECT_EQ(Descend(With("marina", "randk:2", &CommConfig::p, "1"), 0.1, 20).x, Descend(plain, 0.1, 20).x);
}

TEST(RowsAreEqual, EcOfIdentityToGradientDescentWhereTheStepIsAPowerOfTwo) {
  const auto plain = With("none", "identity", &CommConfig::topology, "allgather");
  EXPECT_EQ(Descend(Comm("ec", "identity"), 0x1p-6, 50).x, Descend(plain, 0x1p-6, 50).x);
}

TEST(RowsAreEqual, DianaDqOfIdentityToDiana) {
  EXPECT_EQ(Descend(With("diana_dq", "randk:2", &CommConfig::down_compressor, "identity"), 1.0 / 128, 300).x,
            Descend(Comm("diana", "randk:2"), 1.0 / 128, 300).x);
}

/// Khirirat et al. 2023, arXiv 2305.18929: a ball that holds every gradient clips nothing.
TEST(RowsAreEqual, Clip21OfWideBallsToGradientDescent) {
  const auto plain = With("none", "identity", &CommConfig::topology, "allgather");
  EXPECT_NEAR(Descend(Comm("clip21", "clip:1e9"), 0.1, 20).distances.back(), Descend(plain, 0.1, 20).distances.back(),
              1e-14);
}

/// VR-MARINA (Gorbunov et al. 2021, arXiv 2102.07845, algorithm 2) on LR with Rand-2 and batches of 4 of 20 (p = 1/6):
/// reference 324 rounds; with whole batches, MARINA's trajectory.
TEST(RowsOnLr, VrMarinaConvergesAndOfWholeBatchesIsMarina) {
  testing::ConvexTrial trial{std::make_shared<Problem>(LR()), Comm("vr_marina", "randk:2"), 0.33414, 1000};
  trial.estimator = UsualEstimator(FindMethod("vr_marina"));
  trial.estimator.batch = 4, trial.estimator.sampling = "nice";
  EXPECT_GT(testing::Run(trial).RoundsTo(1e-10), 108);
  trial.comm.p = "0.2", trial.steps = 100, trial.estimator.batch = 20;
  const auto whole = testing::Run(trial).x,
             marina = Descend(With("marina", "randk:2", &CommConfig::p, "0.2"), 0.33414, 100, LR()).x;
  for (size_t j = 0; j < whole.size(); ++j) EXPECT_NEAR(whole[j], marina[j], 1e-12);
}

/// Online VR-MARINA: with fresh batches of all samples the same trajectory; with smaller ones an honest neighbourhood.
TEST(RowsOnLr, OnlineVrMarinaOfWholeRefreshBatchesIsVrMarina) {
  testing::ConvexTrial trial{std::make_shared<Problem>(LR()), Comm("vr_marina", "randk:2"), 0.33414, 200};
  trial.estimator = UsualEstimator(FindMethod("vr_marina"));
  trial.estimator.batch = 4, trial.estimator.sampling = "nice", trial.comm.p = "0.2";
  const auto finite = testing::Run(trial).x;
  trial.estimator.refresh_batch = 20;
  const auto online = testing::Run(trial);
  for (size_t j = 0; j < finite.size(); ++j) EXPECT_NEAR(online.x[j], finite[j], 1e-12);
  trial.estimator.refresh_batch = 10, trial.steps = 2000, trial.lr = 0.03;
  const auto noisy = testing::Run(trial);
  EXPECT_LT(noisy.distances.back(), 0.5 * noisy.distances.front());
  trial.estimator.refresh_batch = 0;
  const auto exact = testing::Run(trial);
  EXPECT_EQ(noisy.RoundsTo(1e-6), -1) << "batches of half the samples have noise that does not fade";
  EXPECT_LT(exact.distances.back(), 0.5 * noisy.distances.back());
  EXPECT_NEAR(noisy.passes / exact.passes, 8.4 / 10.4, 0.02) << "a fifth of the rounds takes 10 in place of 20 samples";
}

/// Liu et al. 2020, arXiv 1910.07561, R = ||x||_1 / 2: reference 251 rounds, 17 non-zeros.
TEST(RowsOnQh, DoreWithARegulariserReachesItsSolution) {
  Problem problem = QH();
  const Prox prox{Prox::Kind::kL1, 0.5};
  problem.minimiser = Minimise(problem, prox);
  const auto zero = [](double x) { return x == 0; };
  EXPECT_EQ(20 - std::ranges::count_if(problem.minimiser->x, zero), 17);
  testing::ConvexTrial trial{std::make_shared<Problem>(problem), Comm("dore", "terngrad"), 0.10225, 750};
  trial.prox = prox;
  const int rounds = testing::Run(trial).RoundsTo(1e-10);
  EXPECT_GT(rounds, 84);
  EXPECT_LE(rounds, 750);
}

/// Ten steps with gamma = 0.1 end at this distance.
constexpr double kGradientDescent = 1.4322620843962705e-3;

TEST(RowsAreEqual, RowsOfIdentityToGradientDescentButForRounding) {
  CommConfig dore = Comm("dore", "identity");
  dore.alpha = "0.3", dore.beta = "1", dore.eta = "0.7";
  for (const CommConfig& comm : {Comm("diana", "identity"), Comm("doublesqueeze", "identity"), Comm("ef21", "identity"),
                                 Comm("ef", "identity"), Comm("ec", "identity"), Comm("marina", "identity"), dore})
    EXPECT_NEAR(Descend(comm, 0.1, 10).distances.back(), kGradientDescent, 1e-13) << comm.method;
}

/// For homogeneous operators; the distance is ef's after 10 rounds (Quadratic.ErrorFeedbackStallsAtANeighbourhoodOnQh).
TEST(RowsAreEqual, EcWithTheStepInsideToEfWhereTheStepIsConstant) {
  EXPECT_NEAR(Descend(Comm("ec", "topk:2"), 0.02, 10).distances.back(), 0.7152104549953866, 1e-12);
}

}  // namespace
}  // namespace gradwire
