// SPDX-License-Identifier: Apache-2.0
#include "newton/common_rounds.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/philox.h"
#include "base/symmetric.h"
#include "compress/stream.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using Hessians = NewtonMethod::Hessians;

std::vector<double> AtSolution(const Problem& problem) {
  const size_t d = problem.dimension();
  std::vector<double> whole(d * d), packed(d * (d + 1) / 2);
  for (const auto& f : problem.workers)
    f->AddHessian(problem.minimiser->x, 1 / static_cast<double>(problem.workers.size()), whole);
  PackSymmetric(whole, packed);
  return packed;
}

ExchangeParts Counted(ExchangeParts parts, const BitRule* count_as) {
  parts.count_as = count_as;
  return parts;
}

}  // namespace

CommonRounds::CommonRounds(Peers& peers, std::shared_ptr<const Problem> problem, const NewtonParts& parts,
                           const BitRule* count_as)
    : peers_(peers),
      problem_(std::move(problem)),
      parts_(parts),
      server_(*problem_, parts),
      model_(Counted(parts.model, count_as), problem_->start, 0),
      w_(problem_->start),
      gradient_(w_.size()),
      g_(w_.size()) {
  for (size_t i = 0; i < peers.size(); ++i) {
    NewtonWorker& worker = workers_.emplace_back(problem_, peers.first() + i);
    gradients_.push_back(worker.gradient()), hessians_.push_back(worker.hessian());
    numbers_.push_back(worker.number());
  }
  if (parts.method->hessians == Hessians::kAtSolution) h_ = AtSolution(*problem_);
}

void CommonRounds::Step(uint64_t step) {
  const bool learned = parts_.method->hessians == Hessians::kLearned;
  // What a dense opening brings is known at once: the first step has the Hessians of its own point.
  const bool first = step == 0 && (parts_.hessian.link.opens_dense || parts_.method->hessians == Hessians::kFirst);
  const bool learns_now = parts_.method->hessians == Hessians::kBare || (learned && parts_.method->learns_first) || first;
  if (learned || learns_now) MakeHessians(step);
  TakeGradient(step);
  if (learns_now) Learn(step);
  const double l = parts_.has_errors() ? MeanError(step) : 0;
  server_.SetCurvature(h_.empty() ? peers_.HeldMean(kHessians) : std::span<const double>(h_), l);
  ...
}

}  // namespace gradwire
