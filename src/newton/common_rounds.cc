// SPDX-License-Identifier: Apache-2.0
#include "newton/common_rounds.h"

#include <algorithm>

#include "base/philox.h"
#include "base/symmetric.h"

namespace gradwire {
namespace {

using Hessians = NewtonMethod::Hessians;

void Copy(std::span<const double> from, std::vector<double>& to) { to.assign(from.begin(), from.end()); }

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
      hessians_(peers.size()),
      w_(problem_->start),
      gradient_(w_.size()),
      g_(w_.size()) {
  for (size_t i = 0; i < peers.size(); ++i) {
    NewtonWorker& worker = workers_.emplace_back(problem_, peers.first() + i);
    gradients_.push_back(worker.gradient());
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
  if (learned && !learns_now) Copy(peers_.HeldMean(kHessians), h_);  // as it was
  if (learned || learns_now)
    Learn(step, !parts_.has_errors() || opens ? Errors::kNone : learns_now ? Errors::kAfter : Errors::kBefore);
  const bool has_gradient = step == 0 || SharedCoin(parts_.seed, step, parts_.gradient_p, Purpose::kAgree);
  if (has_gradient) TakeGradient(step);
  const double l = parts_.has_errors() ? peers_.Mean(Round(step).In(kErrors), numbers_)[0] : 0;
  const bool is_held = parts_.method->hessians == Hessians::kFirst || (learned && learns_now);
  server_.SetCurvature(is_held ? peers_.HeldMean(kHessians) : std::span<const double>(h_), l);
  if (!has_gradient) server_.Extrapolate(model_.z(), w_, gradient_, g_);
  server_.Step(model_.z(), has_gradient ? gradient_ : g_,
               [&](std::span<const double> x) { return MeanValue(step, x); });
  if (server_.is_finite()) model_.Send(step, server_.x());
}

/// Hessians are made one by one as they are packed. Errors are those of the estimates by which the step is made: before
/// they learn, or after; those of an opening are 0, since it is exact.
void CommonRounds::Learn(uint64_t step, Errors errors) {
  if (step == 0 && parts_.basis) SendBasis(peers_, *parts_.basis);
  const auto make = [&](size_t i, std::span<double> hessian) {
    std::ranges::fill(hessian, 0.0);
    if (IsSpared(step, i)) return;
    workers_[i].AddHessian(model_.z(), hessian);
    if (errors == Errors::kBefore) workers_[i].Error(peers_.Held(kHessians, i), hessian);
    if (errors == Errors::kAfter) Copy(hessian, hessians_[i]);
  };
  const std::span<const double> mean = peers_.MeanOf(Round(step).In(kHessians), PackedNumel(w_.size()), make);
  if (parts_.method->hessians == Hessians::kBare) Copy(mean, h_);
  if (errors == Errors::kAfter)
    peers_.ForEach([&](size_t i) { workers_[i].Error(peers_.Held(kHessians, i), hessians_[i]); });
}

/// Whether nobody will look at the worker's Hessian: its message is kept back by a coin.
bool CommonRounds::IsSpared(uint64_t step, size_t i) const {
  const Link& link = parts_.hessian.link;
  if (link.gate != Gate::kCoin || parts_.has_errors() || (step == 0 && link.opens_dense)) return false;
  const auto rank = peers_.first() + static_cast<uint32_t>(i);
  return !CoinOpens(link, {parts_.seed, Purpose::kCoin, rank, Round(step).In(kHessians).draw(), 0, {}});
}

void CommonRounds::TakeGradient(uint64_t step) {
  w_.assign(model_.z().begin(), model_.z().end());
  peers_.ForEach([&](size_t i) { workers_[i].Gradient(w_); });
  const std::span<const double> mean = peers_.Mean(Round(step), gradients_);
  gradient_.assign(mean.begin(), mean.end());
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
