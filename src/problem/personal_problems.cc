// SPDX-License-Identifier: Apache-2.0
#include "problem/personal_problems.h"

#include <Eigen/Eigenvalues>

#include "base/normal.h"
#include "problem/describe.h"
#include "problem/personal_squares.h"

namespace gradwire {
namespace {

constexpr size_t kShared = 4, kOwn = 3, kRows = 5;
constexpr uint64_t kSeed = 0;
constexpr double kSmall = 1e-12;  // of the largest eigenvalue: what is below it is rounding

std::vector<double> Normals(Philox& random, size_t count) {
  std::vector<double> numbers(count);
  for (double& v : numbers) v = Normal(random);
  return numbers;
}

Problem Gaussian(size_t workers, double noise) {
  Philox common(kSeed, Purpose::kSynthetic, 0, /*stream=*/1);
  const std::vector<double> x = Normals(common, kShared);
  std::vector<std::shared_ptr<const PersonalSum>> all;
  for (size_t i = 0; i < workers; ++i) {
    Philox random(kSeed, Purpose::kSynthetic, i);
    const std::vector<double> b = Normals(random, kRows * kShared), own = Normals(random, kRows * kOwn);
    const std::vector<double> y = Normals(random, kOwn), e = Normals(random, kRows);
    std::vector<double> c(kRows);
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t j = 0; j < kShared; ++j) c[r] += b[r * kShared + j] * x[j];
      for (size_t j = 0; j < kOwn; ++j) c[r] += own[r * kOwn + j] * y[j];
      c[r] += noise * e[r];
    }
    all.push_back(MakePersonalSquares(b, own, c));
  }
  return PersonalProblem(all);
}

/// x = x^0 - H^+ grad f(x^0), by the eigenvectors of H; those of eigenvalue 0 are the flat directions.
Minimiser Solve(const Problem& problem) {
  const auto d = static_cast<Eigen::Index>(problem.dimension());
  Eigen::MatrixXd hessian = Eigen::MatrixXd::Zero(d, d);
  for (const auto& f : problem.workers)
    f->AddCurvature(1 / static_cast<double>(problem.workers.size()),
                    {hessian.data(), static_cast<size_t>(hessian.size())});
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> axes(hessian);
  const std::vector<double> at_start = problem.Gradient(problem.start);
  const Eigen::VectorXd gradient = Eigen::Map<const Eigen::VectorXd>(at_start.data(), d);
  Minimiser minimiser{problem.start};
  for (Eigen::Index k = 0; k < d; ++k) {
    const Eigen::VectorXd axis = axes.eigenvectors().col(k);
    const double eigenvalue = axes.eigenvalues()[k];
    if (eigenvalue <= kSmall * problem.smoothness) {
      minimiser.flat.emplace_back(axis.begin(), axis.end());
      continue;
    }
    for (Eigen::Index j = 0; j < d; ++j)
      minimiser.x[static_cast<size_t>(j)] -= axis.dot(gradient) / eigenvalue * axis[j];
  }
  minimiser.value = problem.Value(minimiser.x);
  return minimiser;
}

}  // namespace

Problem PersonalProblem(const std::vector<std::shared_ptr<const PersonalSum>>& workers) {
  Problem problem = Describe(Workers(workers.begin(), workers.end()), std::vector<double>(workers.at(0)->dimension()));
  for (double* convexity : {&problem.strong_convexity, &problem.min_worker_convexity})
    if (*convexity <= kSmall * problem.smoothness) *convexity = 0;
  problem.minimiser = Solve(problem);
  return problem;
}

Problem Overpersonalised(size_t workers) { return Gaussian(workers, 0); }
Problem Personalised(size_t workers) { return Gaussian(workers, 1); }

}  // namespace gradwire
