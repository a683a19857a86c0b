// SPDX-License-Identifier: Apache-2.0
#include "newton/common_rounds.h"

#include "base/philox.h"
#include "base/symmetric.h"

namespace gradwire {
namespace {

using Hessians = NewtonMethod::Hessians;

std::vector<double> AtSolution(const Problem& problem) {
  std::vector<double> packed(PackedNumel(problem.dimension()));
  for (const auto& f : problem.workers)
    f->AddPackedHessian(problem.minimiser->x, 1 / static_cast<double>(problem.workers.size()), packed);
  return packed;
}

}  // namespace

CommonRounds::CommonRounds(Peers& peers, std::shared_ptr<const Problem> problem, const NewtonParts& parts)
    : peers_(peers),
      problem_(std::move(problem)),
      parts_(parts),
      server_(*problem_, parts),
      model_(parts.model, problem_->start, 0),
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
  const bool opens = step == 0 && parts_.method->exchanges_hessians() && parts_.hessian.link.opens_dense;
  // What an opening brings is known at once: the first step has the Hessians of its own point.
  const bool learns_now =
      opens || parts_.method->hessians == Hessians::kBare || (learned && parts_.method->learns_first);
  if (learned || learns_now) MakeHessians(step);
  if (learns_now) Learn(step);
  const bool has_gradient = step == 0 || SharedCoin(parts_.seed, step, parts_.gradient_p, Purpose::kAgree);
  if (has_gradient) TakeGradient(step);
  const double l = parts_.has_errors() ? MeanError(step) : 0;
  server_.SetCurvature(h_.empty() ? peers_.HeldMean(kHessians) : std::span<const double>(h_), l);
  if (!has_gradient) server_.Extrapolate(model_.z(), w_, gradient_, g_);
  server_.Step(model_.z(), has_gradient ? gradient_ : g_,
               [&](std::span<const double> x) { return MeanValue(step, x); });
  if (learned && !learns_now) Learn(step);
  if (server_.is_finite()) model_.Send(step, server_.x());
}

/// Of the workers that will look at one.
void CommonRounds::MakeHessians(uint64_t step) {
  peers_.ForEach([&](size_t i) {
    const Site site{
        parts_.seed, Purpose::kCoin, peers_.first() + static_cast<uint32_t>(i), Round(step).In(kHessians).draw(), 0,
        {}};
    const bool is_spared = parts_.hessian.link.gate == Gate::kCoin && !parts_.has_errors() &&
                           !(step == 0 && parts_.hessian.link.opens_dense) && !CoinOpens(parts_.hessian.link, site);
    if (!is_spared) workers_[i].Hessian(model_.z());
  });
}

void CommonRounds::Learn(uint64_t step) {
  if (step == 0 && parts_.basis) SendBasis(peers_, *parts_.basis);
  const std::span<const double> mean = peers_.Mean(Round(step).In(kHessians), hessians_);
  if (parts_.method->hessians == Hessians::kBare) h_.assign(mean.begin(), mean.end());
}

void CommonRounds::TakeGradient(uint64_t step) {
  w_.assign(model_.z().begin(), model_.z().end());
  peers_.ForEach([&](size_t i) { workers_[i].Gradient(w_); });
  const std::span<const double> mean = peers_.Mean(Round(step), gradients_);
  gradient_.assign(mean.begin(), mean.end());
}

/// Of the estimates by which the next step is made.
double CommonRounds::MeanError(uint64_t step) {
  peers_.ForEach([&](size_t i) { workers_[i].Error(peers_.Held(kHessians, i)); });
  return peers_.Mean(Round(step).In(kErrors), numbers_)[0];
}

double CommonRounds::MeanValue(uint64_t step, std::span<const double> x) {
  peers_.ForEach([&](size_t i) { workers_[i].Value(x); });
  return peers_.Mean(Round(step).In(kValues), numbers_)[0];
}

NewtonRounds::Memory CommonRounds::Save(size_t worker) const {
  return {.x = {server_.x().begin(), server_.x().end()},
          .z = {model_.z().begin(), model_.z().end()},
          .w = w_,
          .gradient = gradient_,
          .model = model_.Save(),
          .counts = workers_[worker].counts};
}

void CommonRounds::Load(const Memory& memory, size_t worker) {
  CheckSize(memory, *problem_);
  server_.SetX(memory.x);
  model_.Load(memory.model, memory.z);
  w_ = memory.w, gradient_ = memory.gradient;
  workers_[worker].counts = memory.counts;
}

}  // namespace gradwire
