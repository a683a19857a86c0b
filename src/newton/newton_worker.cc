// SPDX-License-Identifier: Apache-2.0
#include "newton/newton_worker.h"

#include <cmath>
#include <numbers>

#include "base/symmetric.h"
#include "kernels/kernels.h"

namespace gradwire {

NewtonWorker::NewtonWorker(std::shared_ptr<const Problem> problem, size_t worker)
    : problem_(std::move(problem)), worker_(worker), gradient_(problem_->dimension()), formed_(problem_->dimension()) {}

void NewtonWorker::Gradient(std::span<const double> x) {
  problem_->workers[worker_]->Gradient(x, gradient_);
  ++counts.gradients;
}

void NewtonWorker::AddHessian(std::span<const double> x, std::span<double> out) {
  problem_->workers[worker_]->AddPackedHessian(x, 1, out);
  ++counts.hessians;
}

void NewtonWorker::Value(std::span<const double> x) {
  number_ = problem_->workers[worker_]->Value(x);
  ++counts.values;
}

void NewtonWorker::Error(std::span<const double> held, std::span<const double> hessian) {
  number_ = std::sqrt(kernels::SquaredDistance<double>(held, hessian));
}

void NewtonWorker::Form(std::span<const double> held, std::span<const double> w) {
  constexpr double kHalf = 0.5 * std::numbers::sqrt2;  // of a packed element, which stands twice in the matrix
  for (size_t j = 0; j < w.size(); ++j) formed_[j] = number_ * w[j];
  const double* next = held.data();
  for (size_t i = 0; i < w.size(); ++i) {
    double of_row = *next++ * w[i];
    for (size_t j = i + 1; j < w.size(); ++j) {
      const double value = kHalf * *next++;
      of_row += value * w[j];
      formed_[j] += value * w[i];
    }
    formed_[i] += of_row;
  }
}

}  // namespace gradwire
