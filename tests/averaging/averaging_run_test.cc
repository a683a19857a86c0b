// SPDX-License-Identifier: Apache-2.0
#include "averaging/averaging_run.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

TEST(AveragingRun, HasTheSameBitsForAnyThreadsAndOfASeed) {
  for (const char* method : {"moshpit", "random", "push_sum"}) {
    AveragingRun run{.method = method, .peers = 100, .side = 5, .dims = 3, .failure = 0.05};
    const AveragingResult one = RunAveraging(run);
    run.threads = 4;
    const AveragingResult four = RunAveraging(run);
    EXPECT_EQ(one.variance, four.variance);
    EXPECT_EQ(one.fine.mean, four.fine.mean);
    EXPECT_EQ(one.vectors, four.vectors);
    run.seed = 2;
    EXPECT_NE(RunAveraging(run).variance, one.variance);
  }
}

/// One run of the same rule in numpy, with other random numbers, had 0.230, 0.0546, 0.0101, 0.0036; a fresh group of m
/// leaves about p + 1/m of the variance.
TEST(AveragingRun, ContractsEveryRoundWithTenPerCentFailures) {
  const AveragingResult result = RunAveraging(
      {.method = "moshpit", .peers = 512, .side = 8, .dims = 3, .failure = 0.1, .restarts = 20, .threads = 2});
  const std::vector<double> reference = {1, 0.230, 0.0546, 0.0101, 0.0036};
  for (size_t round = 1; round <= 8; ++round)  // then first restarts are done
    EXPECT_LT(result.variance[round], 0.5 * result.variance[round - 1]) << round;
  for (size_t round = 1; round < reference.size(); ++round)
    EXPECT_NEAR(std::log2(result.variance[round] / reference[round]), 0, round < 4 ? 0.5 : 1.2) << round;
}

/// A round of all-reduce works with probability q = (1 - p)^n, so that E min(rounds, cap) = (1 - (1 - q)^cap) / q.
TEST(AveragingRun, OfAllReduceWaitsForARoundWithoutFailures) {
  const double q = std::pow(1 - 0.01, 200), expected = (1 - std::pow(1 - q, 50)) / q;
  const AveragingResult result =
      RunAveraging({.method = "allreduce", .peers = 200, .failure = 0.01, .restarts = 2000, .threads = 2});
  EXPECT_NEAR(result.fine.mean, expected, 4 * result.fine.deviation / std::sqrt(2000));
  EXPECT_EQ(result.fine.mean, result.coarse.mean);
}

/// A round of 16 random groups of 512 peers leaves 15/511 of the variance: 3 rounds to 1e-4, 6 to 1e-9.
TEST(AveragingRun, SaysWhenEachVarianceWasReachedFirst) {
  const AveragingResult result = RunAveraging({.method = "random"});
  EXPECT_NEAR(result.coarse.mean, 3, 0.5);
  EXPECT_NEAR(result.fine.mean, 6, 1);
}

TEST(AveragingRun, SaysWhatAPeerSendsInARound) {
  const AveragingResult result = RunAveraging({.method = "moshpit", .peers = 1024, .restarts = 2});
  EXPECT_EQ(result.fine.mean, 2);
  EXPECT_DOUBLE_EQ(result.vectors, 2 * 31.0 / 32);
  EXPECT_DOUBLE_EQ(result.messages, 2 * 31.0);
  EXPECT_DOUBLE_EQ(result.requests, 2);
  EXPECT_EQ(RunAveraging({.method = "grid", .peers = 1024, .restarts = 2}).requests, 0);
}

TEST(AveragingRun, OfOnePeerHasNothingToDo) {
  for (const AveragingMethod& method : AveragingMethods()) {
    const AveragingResult result = RunAveraging({.method = std::string(method.name), .peers = 1, .restarts = 2});
    EXPECT_EQ(result.variance, std::vector<double>{0}) << method.name;
    EXPECT_EQ(result.fine.mean, 0) << method.name;
    EXPECT_EQ(result.coarse.mean, 0) << method.name;
    EXPECT_EQ(result.messages, 0);
  }
}

TEST(AveragingRun, OfFailuresAloneEndsAtTheCap) {
  for (const AveragingMethod& method : AveragingMethods()) {
    const AveragingResult result =
        RunAveraging({.method = std::string(method.name), .peers = 9, .failure = 1, .restarts = 2, .cap = 5});
    EXPECT_EQ(result.variance.size(), 6u);
    EXPECT_EQ(result.variance.front(), result.variance.back()) << method.name;
    EXPECT_EQ(result.fine.mean, 5);
  }
}

TEST(AveragingRun, RefusesWhatIsNoNumberOfIt) {
  const auto key = [](const AveragingRun& run) -> std::string {
    try {
      RunAveraging(run);
    } catch (const ConfigError& error) {
      return error.key();
    }
    return "none";
  };
  EXPECT_EQ(key({.method = "random", .peers = 0}), "peers");
  EXPECT_EQ(key({.method = "random", .side = 1}), "side");
  EXPECT_EQ(key({.method = "random", .dims = 0}), "dims");
  EXPECT_EQ(key({.method = "random", .failure = 1.5}), "failures");
  EXPECT_EQ(key({.method = "random", .failure = std::nan("")}), "failures");
  EXPECT_EQ(key({.method = "random", .restarts = 1}), "restarts");
  EXPECT_EQ(key({.method = "random", .cap = 0}), "cap");
  EXPECT_EQ(key({.method = "grid", .peers = 1025}), "peers");
  EXPECT_EQ(key({.method = "nothing"}), "methods");
}

}  // namespace
}  // namespace gradwire
