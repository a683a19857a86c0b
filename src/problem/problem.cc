// SPDX-License-Identifier: Apache-2.0
#include "problem/problem.h"

#include <algorithm>
#include <cmath>

#include "gradwire/error.h"
#include "problem/dense.h"

namespace gradwire {

double Problem::max_worker_smoothness() const {
  return *std::max_element(worker_smoothness.begin(), worker_smoothness.end());
}

double Problem::Value(std::span<const double> x) const {
  double sum = 0;
  for (const auto& f : workers) sum += f->Value(x);
  return sum / static_cast<double>(workers.size());
}

std::vector<double> Problem::Gradient(std::span<const double> x) const {
  std::vector<double> mean(x.size()), one(x.size());
  for (const auto& f : workers) {
    f->Gradient(x, one);
    for (size_t j = 0; j < x.size(); ++j) mean[j] += one[j];
  }
  for (double& value : mean) value /= static_cast<double>(workers.size());
  return mean;
}

double Problem::Distance(std::span<const double> x) const {
  if (!minimiser) throw Error("the distance to x* was asked of a problem whose x* is not known");
  std::vector<double> away(x.size());
  for (size_t j = 0; j < x.size(); ++j) away[j] = x[j] - minimiser->x[j];
  for (const std::vector<double>& direction : minimiser->flat) {
    const double along = Dot(away, direction);
    for (size_t j = 0; j < x.size(); ++j) away[j] -= along * direction[j];
  }
  return Norm(away);
}

double Heterogeneity(const Problem& problem) {
  double sum = 0;
  std::vector<double> gradient(problem.dimension());
  for (const auto& f : problem.workers) {
    f->Gradient(problem.minimiser.value().x, gradient);
    sum += Dot(gradient, gradient);
  }
  return sum / static_cast<double>(problem.workers.size());
}

}  // namespace gradwire
