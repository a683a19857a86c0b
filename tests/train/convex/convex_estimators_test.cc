// SPDX-License-Identifier: Apache-2.0
// Estimators, samplings and partial participation as rows of a configuration, in every driver that takes an estimator.
// References are rounds of runs of the papers' recursions in numpy, apart from this code.
#include <gtest/gtest.h>

#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "train/convex/convex_run.h"

namespace gradwire::train {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kLr = R"(
run: {nproc: 5, launch: threads}
objective: {name: logistic, data: lr}
comm: {method: none, compressor: identity}
log: {every_steps: 10}
)";

std::vector<nlohmann::json> RunFor(int steps, Words words) {
  const TempFolder folder("estimators");
  words.push_back("run.output_dir=" + folder.path());
  words.push_back("train.steps=" + std::to_string(steps));
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunConvexThreads(Load(kLr, words)), 0);
  testing::internal::GetCapturedStdout();
  return Records(folder.path());
}

/// A run is 1e-10 from x* after so many rounds: between a third of the reference and three times as many.
struct Row {
  std::string name;
  int reference;
  Words words;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class ConvexEstimators : public testing::TestWithParam<Row> {};

TEST_P(ConvexEstimators, ReachTheMinimiserInTheRoundsOfTheReference) {
  const int reference = GetParam().reference;
  int found = -1;
  for (const nlohmann::json& record : RunFor(3 * reference, GetParam().words))
    if (found < 0 && record["dist"].get<double>() <= 1e-10) found = record["step"].get<int>();
  EXPECT_GE(found, reference / 3);
  EXPECT_LE(found, 3 * reference);
}

Row OneNode(std::string name, int reference, Words words) {
  words.insert(words.end(), {"run.nproc=1", "optimizer.lr=theory"});
  return {std::move(name), reference, std::move(words)};
}

// Lij = 2.264131689450833, omega = 4 of Rand-2 of 10, n = 5.
const std::string kVrDiana = "0.011937036865";       // 1/(Lij (1 + 36 (omega + 1)/n)) = 1/(37 Lij)
const std::string kLargerVrDiana = "0.04089540949";  // 1/(6 Lij (1 + omega/n))

std::vector<Row> References() {
  const Words vr_diana = {"comm.method=vr_diana", "comm.compressor=randk:2"};
  const auto with = [](Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  return {
      OneNode("saga", 2870, {"objective.estimator=saga"}),
      OneNode("jacsketch", 1473, {"objective.estimator=saga", "objective.sampling=nice", "objective.batch=5"}),
      OneNode("sega", 1706, {"objective.estimator=sega"}),
      {"vr_diana", 9117, with(vr_diana, {"optimizer.lr=" + kVrDiana})},
      // Of the same constants, and so of the same rounds.
      {"vr_diana_of_saga", 9117, with(vr_diana, {"optimizer.lr=" + kVrDiana, "objective.estimator=saga"})},
      {"vr_diana_of_saga_faster", 2661, with(vr_diana, {"optimizer.lr=" + kLargerVrDiana, "objective.estimator=saga"})},
  };
}

INSTANTIATE_TEST_SUITE_P(Reference, ConvexEstimators, testing::ValuesIn(References()),
                         [](const auto& info) { return info.param.name; });

/// No references, but what these took once: that each driver brings an estimator to x*, where others do not go.
INSTANTIATE_TEST_SUITE_P(
    Driver, ConvexEstimators,
    testing::Values(Row{"delayed_saga", 1430, {"train.delay=2", "objective.estimator=saga", "optimizer.lr=0.0736"}},
                    Row{"delayed_sega", 2320, {"train.delay=2", "objective.estimator=sega", "optimizer.lr=0.046"}},
                    Row{"local_saga",
                        2170,
                        {"train.mode=local", "local.shift=skip", "local.random=0.5", "objective.estimator=saga",
                         "optimizer.lr=0.05"}},
                    Row{"asynchronous_saga",
                        7350,
                        {"train.mode=async", "async.wait_for=5", "objective.estimator=saga", "optimizer.lr=0.0147"}},
                    Row{"asynchronous_sega",
                        11780,
                        {"train.mode=async", "async.wait_for=5", "objective.estimator=sega", "optimizer.lr=0.0092"}}),
    [](const auto& info) { return info.param.name; });

/// DCGD of some workers on Q3, whose gradients all vanish at x* = 0, so that only unbiased messages are asked for; a
/// worker that came too often would count too much, but x* stay: that is the exchange's test.
INSTANTIATE_TEST_SUITE_P(
    Participation, ConvexEstimators,
    testing::Values(Row{"independent",
                        1500,
                        {"run.nproc=3", "objective.name=quadratic", "objective.data=q3", "comm.method=dcgd",
                         "comm.participation=independent:50%,25%,100%", "optimizer.lr=0.01"}},
                    Row{"sets",
                        1500,
                        {"run.nproc=3", "objective.name=quadratic", "objective.data=q3", "comm.method=dcgd",
                         "comm.participation=sets:0+1=1,1+2=2,2=3", "optimizer.lr=0.01"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace gradwire::train
