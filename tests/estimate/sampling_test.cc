// SPDX-License-Identifier: Apache-2.0
// Any sampling: what it draws, by enumeration (SGD-SR, Gower et al. 2019, arXiv 1901.09401).
#include "estimate/sampling.h"

#include <cmath>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "support/outcomes.h"

namespace gradwire {
namespace {

using testing::Outcome;

struct Case {
  const char* name;
  const char* sampling;
  int64_t batch = 1;
  std::vector<double> probabilities = {};
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

EstimatorConfig ConfigOf(const Case& c) {
  EstimatorConfig config;
  config.name = "sgd", config.sampling = c.sampling, config.batch = c.batch, config.probabilities = c.probabilities;
  return config;
}

class Enumerated : public ::testing::TestWithParam<Case> {
 protected:
  const EstimatorConfig config_ = ConfigOf(GetParam());
  const std::shared_ptr<const Problem> problem_ = std::make_shared<Problem>(LR(25));  // 4 samples a worker
  const FiniteSum& f_ = *problem_->workers[3];
  const std::vector<Outcome> outcomes_ = testing::Outcomes(config_, f_);
  const std::unique_ptr<Sampling> sampling_ = MakeSampling(config_, f_, 7, 3);
};

std::vector<std::pair<uint32_t, double>> KeyOf(const std::vector<Draw>& draws) {
  std::vector<std::pair<uint32_t, double>> key;
  for (const Draw& draw : draws) key.emplace_back(draw.sample, std::round(draw.weight * 1e12));
  return key;
}

TEST_P(Enumerated, DrawsEachOutcomeAsOftenAsItIsLikely) {
  constexpr double kRounds = 20000;
  std::map<std::vector<std::pair<uint32_t, double>>, int> counts;
  for (uint64_t k = 0; k < kRounds; ++k) {
    Philox random(7, Purpose::kSample, 3, k);
    ++counts[KeyOf(sampling_->Next(random, k))];
  }
  double sum = 0;
  for (const Outcome& outcome : outcomes_) {
    const double p = outcome.probability;
    sum += p;
    EXPECT_NEAR(counts[KeyOf(outcome.draws)], kRounds * p, 4.5 * std::sqrt(kRounds * p * (1 - p)) + 1e-9);
  }
  EXPECT_NEAR(sum, 1, 1e-14);
  EXPECT_LE(counts.size(), outcomes_.size()) << "no other outcome";
}

TEST_P(Enumerated, EstimatesAreUnbiased) {
  std::vector<double> x(f_.dimension()), exact(x.size()), mean(x.size()), out(x.size());
  for (size_t j = 0; j < x.size(); ++j) x[j] = std::cos(static_cast<double>(j));
  f_.Gradient(x, exact);
  for (const char* name : {"sgd", "saga"}) {
    std::ranges::fill(mean, 0.0);
    EstimatorConfig config = config_;
    config.name = name;
    for (const Outcome& outcome : outcomes_) {
      const auto estimator = MakeEstimator(config, problem_, 3, 1);
      estimator->Estimate(problem_->start, {{{1, 0.5}}, false}, out);  // a table has another point's gradients
      estimator->Estimate(x, {outcome.draws, false}, out);
      for (size_t j = 0; j < x.size(); ++j) mean[j] += outcome.probability * out[j];
    }
    for (size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(mean[j], exact[j], 1e-15) << name;
  }
}

TEST_P(Enumerated, SaysHowManyAndHowLikely) {
  double size = 0;
  std::vector<double> probability(f_.samples());
  for (const Outcome& outcome : outcomes_) {
    size += outcome.probability * static_cast<double>(outcome.draws.size());
    for (const Draw& draw : outcome.draws) probability[draw.sample] += outcome.probability;
  }
  EXPECT_NEAR(sampling_->size(), size, 1e-14);
  EXPECT_NEAR(RoundsPerPass(config_, f_), static_cast<double>(f_.samples()) / size, 1e-13);
  for (size_t l = 0; l < f_.samples(); ++l) EXPECT_NEAR(sampling_->Probability(l), probability[l], 1e-14) << l;
}

/// E ||sum_k w_k a_k||^2 <= (1/m) sum_l c_l ||a_l||^2, in R^1: of all 3^4 vectors of numbers -1, 0 and 1, and met by
/// one of them but for independent samples, whose c is a bound.
TEST_P(Enumerated, SpreadBoundsTheSecondMomentOfAnyWeightedSum) {
  double closest = 0;
  for (int code = 1; code < 81; ++code) {
    const double a[] = {code % 3 - 1.0, code / 3 % 3 - 1.0, code / 9 % 3 - 1.0, code / 27 - 1.0};
    double moment = 0, bound = 0;
    for (const Outcome& outcome : outcomes_) {
      double sum = 0;
      for (const Draw& draw : outcome.draws) sum += draw.weight * a[draw.sample];
      moment += outcome.probability * sum * sum;
    }
    for (size_t l = 0; l < 4; ++l) bound += sampling_->Spread(l) * a[l] * a[l] / 4;
    ASSERT_LE(moment, bound * (1 + 1e-12)) << code;
    if (bound > 0) closest = std::max(closest, moment / bound);
  }
  EXPECT_NEAR(closest, 1, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(
    , Enumerated,
    ::testing::Values(Case{"uniform", "uniform"}, Case{"nice", "nice", 2}, Case{"importance", "importance"},
                      Case{"any_single", "importance", 1, {0.1, 0.2, 0.3, 0.4}}, Case{"independent", "independent", 2},
                      Case{"any_independent", "independent", 1, {0.9, 0.2, 1, 0.5}}, Case{"partition", "partition", 2},
                      Case{"uneven_partition", "partition", 3}, Case{"any_partition", "partition", 2, {0.75, 0.5}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace gradwire
