// SPDX-License-Identifier: Apache-2.0
// The problems by name. Indices are counted from 0 as in their definitions.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "problem/dense.h"
#include "problem/logistic.h"
#include "problem/problem.h"
#include "problem/quadratic.h"

namespace gradwire {
namespace {

constexpr size_t kMaxColumns = 2000;

using Workers = std::vector<std::shared_ptr<const FiniteSum>>;

/// The smallest and the largest eigenvalue of the mean of the workers' curvatures.
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

constexpr size_t kQhDimension = 20, kQhWorkers = 10, kQhSamples = 8;

/// R = I - 2 u u^T / u^T u with u_j = cos(1 + j): the Householder reflection that hides QH's eigenbasis.
std::vector<double> QhBasis() {
  constexpr size_t d = kQhDimension;
  std::vector<double> u(d), basis(d * d);
  for (size_t j = 0; j < d; ++j) u[j] = std::cos(1.0 + static_cast<double>(j));
  const double square = Dot(u, u);
  for (size_t i = 0; i < d; ++i)
    for (size_t j = 0; j < d; ++j) basis[i * d + j] = (i == j ? 1.0 : 0.0) - 2 * u[i] * u[j] / square;
  return basis;
}

/// c_lj = 3 cos(1 + 3 i + 5 l + 7 j), less its mean over l.
std::vector<double> QhNoise(size_t worker) {
  constexpr size_t d = kQhDimension, m = kQhSamples;
  std::vector<double> noise(m * d);
  for (size_t j = 0; j < d; ++j) {
    double mean = 0;
    for (size_t l = 0; l < m; ++l) {
      noise[l * d + j] = 3 * std::cos(static_cast<double>(1 + 3 * worker + 5 * l + 7 * j));
      mean += noise[l * d + j] / static_cast<double>(m);
    }
    for (size_t l = 0; l < m; ++l) noise[l * d + j] -= mean;
  }
  return noise;
}

/// Worker i's quadratic, with eigenvalues from 1 to `largest` in that basis.
std::shared_ptr<const FiniteSum> QhWorker(size_t i, const std::vector<double>& basis, double largest) {
  constexpr size_t d = kQhDimension;
  std::vector<double> a(d * d), b(d);
  for (size_t k = 0; k < d; ++k) {
    const double eigenvalue = 1 + (largest - 1) * static_cast<double>((7 * k + 3 * i) % d) / 19;
    const double target = 10 * std::sin(static_cast<double>(i + 2 * k + 1));
    for (size_t r = 0; r < d; ++r) {
      b[r] += basis[r * d + k] * target;
      for (size_t c = 0; c < d; ++c) a[r * d + c] += basis[r * d + k] * eigenvalue * basis[c * d + k];
    }
  }
  return MakeQuadratic(std::move(a), std::move(b), QhNoise(i));
}

Workers Deal(const std::shared_ptr<const LabelledRows>& rows, size_t n, double lambda, Regulariser regulariser) {
  Workers workers;
  const size_t share = rows->rows() / n, longer = rows->rows() % n;
  for (size_t i = 0, first = 0; i < n; ++i) {
    const size_t last = first + share + (i < longer ? 1 : 0);
    workers.push_back(MakeLogistic(rows, first, last, lambda, regulariser));
    first = last;
  }
  return workers;
}

}  // namespace

Problem Q3() {
  Workers workers;
  for (size_t i = 0; i < 3; ++i) {
    std::vector<double> v(3, 2), a(9);
    v[i] = -3;
    for (size_t r = 0; r < 3; ++r)
      for (size_t c = 0; c < 3; ++c) a[3 * r + c] = 2 * v[r] * v[c] + (r == c ? 0.5 : 0.0);
    workers.push_back(MakeQuadratic(std::move(a), {0, 0, 0}, {0, 0, 0}));
  }
  return Solved(Describe(std::move(workers), {1, 1, 1}));
}

Problem QH() {
  Workers workers;
  const std::vector<double> basis = QhBasis();
  for (size_t i = 0; i < kQhWorkers; ++i) workers.push_back(QhWorker(i, basis, 10));
  return Solved(Describe(std::move(workers), std::vector<double>(kQhDimension)));
}

Problem QK() {
  Workers workers;
  const std::vector<double> basis = QhBasis();
  for (size_t i = 0; i < kQhWorkers; ++i) workers.push_back(QhWorker(i, basis, i == 0 ? 1000 : 5));
  return Solved(Describe(std::move(workers), std::vector<double>(kQhDimension)));
}

std::shared_ptr<const LabelledRows> LRSamples(double scale) {
  auto rows = std::make_shared<LabelledRows>();
  rows->columns = 10;
  for (int i = 0; i < 5; ++i)
    for (int l = 0; l < 20; ++l) {
      for (int j = 0; j < 10; ++j) {
        rows->column.push_back(static_cast<uint32_t>(j));
        rows->value.push_back(scale * std::sin(1 + 1.7 * i + 3.1 * l + 5.3 * j + 0.37 * l * j));
      }
      rows->begin.push_back(rows->column.size());
      rows->label.push_back(std::cos(2.0 * i + 1.3 * l) > 0 ? 1 : -1);
    }
  return rows;
}

Problem LR(size_t workers) { return LogisticRegression(LRSamples(1), workers, 0.1, Regulariser::kRidge); }
Problem LR2(size_t workers) { return LogisticRegression(LRSamples(3), workers, 0.01, Regulariser::kRidge); }

Problem LogisticRegression(const std::shared_ptr<const LabelledRows>& rows, size_t workers, double lambda,
                           Regulariser regulariser) {
  if (rows->rows() < workers)
    throw ConfigError(fmt::format("{} samples for {} workers: expected at least one each", rows->rows(), workers));
  if (rows->columns > kMaxColumns)
    throw ConfigError(
        fmt::format("{} columns: expected at most {}, since the problem's constants and its minimiser need "
                    "dense matrices of that order",
                    rows->columns, kMaxColumns));
  if (lambda == 0) lambda = Spectrum(Deal(rows, workers, 0, regulariser)).second / 1e4;
  Problem problem = Describe(Deal(rows, workers, lambda, regulariser), std::vector<double>(rows->columns));
  problem.strong_convexity = problem.min_worker_convexity = regulariser == Regulariser::kRidge ? lambda : 0;
  return regulariser == Regulariser::kRidge ? Solved(std::move(problem)) : problem;
}

}  // namespace gradwire
