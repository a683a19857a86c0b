// SPDX-License-Identifier: Apache-2.0
#include "estimate/convex_worker.h"

#include <cmath>

#include "gradwire/error.h"

namespace gradwire {

ConvexWorker::ConvexWorker(std::shared_ptr<const Problem> problem, size_t worker, std::unique_ptr<Estimator> estimator)
    : problem_(std::move(problem)),
      worker_(worker),
      estimator_(estimator ? std::move(estimator) : MakeEstimator({}, problem_, worker, 0)),
      x_(problem_->start),
      gradient_(x_.size()),
      parameters_{{"x", {static_cast<int64_t>(x_.size())}}},
      segment_{0, 0, x_.size()} {}

void ConvexWorker::Gradient(const Round& round, BucketSink<double>& sink) {
  estimator_->Estimate(x_, estimator_->Next(round), gradient_);
  PushAndWait(sink, round, {0, {&segment_, 1}, gradient_, x_});
}

void ConvexWorker::Step(double lr) {
  for (size_t j = 0; j < x_.size(); ++j) x_[j] -= lr * gradient_[j];
}

void ConvexWorker::MoveAnchor() {
  if (!estimator_->MoveAnchor(x_, gradient_)) Objective::MoveAnchor();
}

std::optional<ComponentView> ConvexWorker::Look(const Round& round, std::span<const double> last) const {
  const FiniteSum& f = *problem_->workers[worker_];
  const std::optional<std::vector<Draw>> draws = estimator_->Samples(round);
  if (draws && draws->empty()) return std::nullopt;
  std::vector<double> gradient(x_.size());
  if (!draws) {
    f.Gradient(x_, gradient);
    return View<double>(x_, last, gradient, f.Value(x_), f.Value(last));
  }
  f.AddGradient(*draws, x_, gradient);
  return View<double>(x_, last, gradient, f.Value(*draws, x_), f.Value(*draws, last));
}

double ConvexWorker::Distance() const { return problem_->Distance(x_); }

double ConvexWorker::passes() const {
  return static_cast<double>(estimator_->evaluations()) / static_cast<double>(problem_->workers[worker_]->samples());
}

}  // namespace gradwire
