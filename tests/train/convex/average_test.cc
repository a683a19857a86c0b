// SPDX-License-Identifier: Apache-2.0
// log.average: f at the weighted mean of a run's points.
#include <gtest/gtest.h>

#include "problem/problem.h"
#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "train/convex/convex_run.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::json;

std::vector<Json> RunAndRead(const char* yaml, std::vector<std::string> words) {
  const TempFolder folder("average");
  words.push_back("run.output_dir=" + folder.path());
  testing::internal::CaptureStdout();
  RunConvexThreads(Load(yaml, words));
  testing::internal::GetCapturedStdout();
  return Records(folder.path());
}

constexpr const char* kQh = R"(
run: {nproc: 10, launch: threads}
objective: {name: quadratic, data: qh}
optimizer: {lr: 0.02}
lr_scheduler: {name: inverse, shift: 3}
train: {steps: 10}
comm: {method: none, compressor: identity}
log: {every_steps: 4, average: weighted}
)";

TEST(Average, IsOfThePointsBeforeEachStepWithSquaredWeights) {
  const Problem problem = QH();
  const size_t d = problem.dimension();
  std::vector<double> x = problem.start, sum(d), mean(d), f_avg;
  double weights = 0;
  for (int t = 0; t < 10; ++t) {
    const double weight = (3.0 + t) * (3.0 + t);
    weights += weight;
    for (size_t j = 0; j < d; ++j) sum[j] += weight * x[j], mean[j] = sum[j] / weights;
    f_avg.push_back(problem.Value(mean));
    const std::vector<double> gradient = problem.Gradient(x);
    for (size_t j = 0; j < d; ++j) x[j] -= 0.02 * 3 / (3 + t) * gradient[j];
  }
  const std::vector<Json> records = RunAndRead(kQh, {});
  ASSERT_EQ(records.size(), 5u);  // steps 0, 4, 8, 10 and the final one
  EXPECT_FALSE(records[0].contains("f_avg")) << "there is no point before the first one";
  for (const size_t k : {1, 2, 3, 4}) {
    EXPECT_NEAR(records[k]["f_avg"], f_avg[records[k]["step"].get<size_t>() - 1], 1e-13) << k;
    EXPECT_NEAR(records[k]["f_avg_gap"], records[k]["f_avg"].get<double>() - problem.minimiser->value, 1e-13) << k;
  }
}

/// MEM-SGD (Stich, Cordonnier & Jaggi 2018, arXiv 1809.07599): with steps 8 / (mu (a + t)), mu = 0.1 and a = 1000,
/// Top-1 and single samples, f - f* at the average falls as 1/T. References: 60 runs in numpy, after 1000
/// rounds 5.71e-4, a run's deviation 2.70e-4; after 4000 1.770e-4, deviation 0.715e-4; there the last point's 1.037e-3,
/// deviation 0.387e-3.
TEST(Average, OfMemSgdFallsWithTheNumberOfRounds) {
  constexpr const char* kMemSgd = R"(
run: {nproc: 5, launch: threads}
objective: {name: logistic, data: lr, estimator: sgd}
optimizer: {lr: 0.08}
lr_scheduler: {name: inverse, shift: 1000}
train: {steps: 4000}
comm: {method: ec, compressor: topk:1}
log: {every_steps: 1000, average: weighted}
)";
  constexpr int kSeeds = 16;
  double early = 0, late = 0, last = 0;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    const std::vector<Json> records = RunAndRead(kMemSgd, {"run.seed=" + std::to_string(seed)});
    ASSERT_EQ(records[1]["step"], 1000);
    early += records[1]["f_avg_gap"].get<double>() / kSeeds;
    late += records.back()["f_avg_gap"].get<double>() / kSeeds;
    last += records.back()["f_gap"].get<double>() / kSeeds;
  }
  EXPECT_NEAR(early, 5.71e-4, 4.5 * 2.70e-4 / 4);
  EXPECT_NEAR(late, 1.770e-4, 4.5 * 0.715e-4 / 4);
  EXPECT_NEAR(last, 1.037e-3, 4.5 * 0.387e-3 / 4);
}

}  // namespace
}  // namespace gradwire::train
