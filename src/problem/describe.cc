// SPDX-License-Identifier: Apache-2.0
#include "problem/describe.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "problem/dense.h"

namespace gradwire {

void CheckSamples(const LabelledRows& rows, size_t workers) {
  constexpr size_t kMaxColumns = 2000;
  if (rows.rows() < workers)
    throw ConfigError(fmt::format("{} samples for {} workers: expected at least one each", rows.rows(), workers));
  if (rows.columns > kMaxColumns)
    throw ConfigError(
        fmt::format("{} columns: expected at most {}, since the problem's constants and its minimiser need "
                    "dense matrices of that order",
                    rows.columns, kMaxColumns));
}

std::pair<double, double> Spectrum(std::span<const std::shared_ptr<const FiniteSum>> workers) {
  const size_t d = workers[0]->dimension();
  std::vector<double> mean(d * d);
  for (const auto& f : workers) f->AddCurvature(1 / static_cast<double>(workers.size()), mean);
  return ExtremeEigenvalues(std::move(mean), d);
}

Problem Describe(Workers workers, std::vector<double> start) {
  Problem problem;
  problem.workers = std::move(workers);
  problem.start = std::move(start);
  std::tie(problem.strong_convexity, problem.smoothness) = Spectrum(problem.workers);
  for (const auto& f : problem.workers) {
    const auto [convexity, smoothness] = Spectrum({&f, 1});
    problem.worker_smoothness.push_back(smoothness);
    problem.min_worker_convexity =
        f == problem.workers[0] ? convexity : std::min(problem.min_worker_convexity, convexity);
    for (size_t l = 0; l < f->samples(); ++l)
      problem.max_sample_smoothness = std::max(problem.max_sample_smoothness, f->SampleSmoothness(l));
  }
  if (!std::isfinite(problem.max_sample_smoothness) || !std::isfinite(problem.smoothness))
    throw ConfigError("the smoothness, the square of the features, is not finite: expected smaller features or lambda");
  return problem;
}

Problem Solved(Problem problem) {
  problem.minimiser = Minimise(problem);
  return problem;
}

}  // namespace gradwire
