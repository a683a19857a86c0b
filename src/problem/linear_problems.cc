// SPDX-License-Identifier: Apache-2.0
// Problems of samples: linear models of rows that are dealt to the workers.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/normal.h"
#include "gradwire/error.h"
#include "problem/dense.h"
#include "problem/describe.h"
#include "problem/linear_model.h"
#include "problem/samples.h"

namespace gradwire {
namespace {

void CheckTargets(const LabelledRows& rows, const Loss& loss) {
  if (!loss.has_classes) return;
  for (const double y : rows.label)
    if (y != 1 && y != -1)
      throw ConfigError(fmt::format("found a target of {}, expected two classes because the loss is {}", y, loss.name));
}

Workers Models(const std::shared_ptr<const LabelledRows>& rows, size_t n, const Loss& loss, double lambda,
               Regulariser regulariser) {
  return Deal(rows->rows(), n,
              [&](size_t first, size_t last) { return MakeLinearModel(rows, first, last, loss, lambda, regulariser); });
}

/// mu of a convex loss with a ridge, where `curvature` is the smallest eigenvalue of the curvature, the ridge in it;
/// what rounding leaves of 0, beside `smoothness`, is 0.
double Convexity(const Loss& loss, double lambda, double curvature, double smoothness) {
  const double of_data = curvature - lambda;
  return lambda + (of_data > 1e-13 * smoothness ? loss.least_bend / loss.most_bend * of_data : 0);
}

}  // namespace

Problem LinearProblem(const std::shared_ptr<const LabelledRows>& rows, size_t workers, const Loss& loss, double lambda,
                      Regulariser regulariser) {
  CheckSamples(*rows, workers);
  CheckTargets(*rows, loss);
  if (lambda == 0 && loss.needs_ridge) lambda = Spectrum(Models(rows, workers, loss, 0, regulariser)).second / 1e4;
  Problem problem = Describe(Models(rows, workers, loss, lambda, regulariser), std::vector<double>(rows->columns));
  const bool is_convex = loss.is_convex() && regulariser == Regulariser::kRidge;
  for (double* mu : {&problem.strong_convexity, &problem.min_worker_convexity})
    *mu = is_convex ? Convexity(loss, lambda, *mu, problem.smoothness) : 0;
  if (!is_convex) return problem;
  if (problem.strong_convexity == 0)
    throw ConfigError(
        fmt::format("{} of columns that depend linearly on each other has many minimisers; expected "
                    "objective.lambda above 0",
                    loss.name));
  return Solved(std::move(problem));
}

Problem LogisticRegression(const std::shared_ptr<const LabelledRows>& rows, size_t workers, double lambda,
                           Regulariser regulariser) {
  return LinearProblem(rows, workers, *FindLoss("logistic"), lambda, regulariser);
}

std::shared_ptr<const LabelledRows> LRSamples(double scale, double falloff) {
  auto rows = std::make_shared<LabelledRows>();
  for (int i = 0; i < 5; ++i)
    for (int l = 0; l < 20; ++l) {
      std::vector<double> features;
      for (int j = 0; j < 10; ++j)
        features.push_back(scale * std::pow(falloff, j) * std::sin(1 + 1.7 * i + 3.1 * l + 5.3 * j + 0.37 * l * j));
      rows->Append(features, std::cos(2.0 * i + 1.3 * l) > 0 ? 1 : -1);
    }
  return rows;
}

Problem LR(size_t workers) { return LogisticRegression(LRSamples(1), workers, 0.1, Regulariser::kRidge); }
Problem LR2(size_t workers) { return LogisticRegression(LRSamples(3), workers, 0.01, Regulariser::kRidge); }

std::shared_ptr<const LabelledRows> LR3Samples() { return OfRank(*LRSamples(3), /*block=*/20, /*rank=*/3); }

std::shared_ptr<const LabelledRows> GaussianSamples(size_t samples, size_t columns, double noise) {
  Philox random(/*seed=*/0, Purpose::kSynthetic);
  const auto draw = [&] {
    std::vector<double> vector(columns);
    for (double& v : vector) v = Normal(random) / std::sqrt(static_cast<double>(columns));
    return vector;
  };
  auto rows = std::make_shared<LabelledRows>();
  const std::vector<double> solution = draw();
  for (size_t l = 0; l < samples; ++l) {
    const std::vector<double> features = draw();
    rows->Append(features, Dot(features, solution) + noise * Normal(random));
  }
  return rows;
}

Problem AlphaBeta(size_t workers) {
  auto rows = std::make_shared<LabelledRows>();
  rows->Append({1, 1}, 0);
  rows->Append({1, 1}, -1);
  Problem problem = LinearProblem(rows, workers, *FindLoss("geman_mcclure"), 0);
  problem.start = {1, 1};
  const double half = std::sqrt(0.5);
  problem.minimiser = Minimiser{{-0.25, -0.25}, 0.2, {{half, -half}}};
  return problem;
}

}  // namespace gradwire
