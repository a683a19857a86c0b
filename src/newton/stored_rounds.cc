// SPDX-License-Identifier: Apache-2.0
#include "newton/stored_rounds.h"

#include <algorithm>

#include "base/philox.h"
#include "base/symmetric.h"

namespace gradwire {

StoredRounds::StoredRounds(Peers& peers, std::shared_ptr<const Problem> problem, const NewtonParts& parts,
                           std::unique_ptr<StoredForm> form)
    : peers_(peers),
      problem_(std::move(problem)),
      parts_(parts),
      rests_(peers.size()),
      is_without_gradient_(peers.size()),
      form_(std::move(form)),
      server_(*problem_, parts) {
  for (size_t i = 0; i < peers.size(); ++i) {
    const uint32_t rank = peers.first() + static_cast<uint32_t>(i);
    Own& own = own_.emplace_back(Own{{problem_, rank}, {parts.model, problem_->start, rank}, problem_->start, {}});
    own.hessian.resize(PackedNumel(own.w.size()));
    gradients_.push_back(own.worker.gradient()), hessians_.emplace_back(own.hessian);
  }
}

void StoredRounds::Step(uint64_t step) {
  Draw(step);
  if (step > 0 && server_.is_finite())
    peers_.ForEach([&](size_t i) {
      if (!rests_[i]) own_[i].model.Send(step, server_.x());
    });
  Report(step);
  form_->MovePoint(peers_.HeldMean(kHessians), peers_.HeldMean(kGradients), server_);
}

/// Who takes part, and who of them has a gradient: all in the first round.
void StoredRounds::Draw(uint64_t step) {
  std::vector<double> weights(peers_.ranks(), 1);
  if (step > 0 && !parts_.participation.is_all())
    weights = parts_.participation.Weights(parts_.seed, step, peers_.ranks());
  for (size_t i = 0; i < own_.size(); ++i) {
    const uint32_t rank = peers_.first() + static_cast<uint32_t>(i);
    rests_[i] = weights[rank] == 0;
    const bool tossed = step > 0 && Philox(parts_.seed, Purpose::kAgree, rank, step).Uniform() >= parts_.gradient_p;
    is_without_gradient_[i] = rests_[i] || tossed;
  }
}

/// Hessians at the points that were sent, which the maps take as changes; then what is made of the new estimates.
void StoredRounds::Report(uint64_t step) {
  peers_.ForEach([&](size_t i) {
    if (rests_[i]) return;
    Own& own = own_[i];
    std::ranges::fill(own.hessian, 0.0);
    own.worker.AddHessian(own.model.z(), own.hessian);
    if (is_without_gradient_[i]) return;
    own.w.assign(own.model.z().begin(), own.model.z().end());
    own.worker.Gradient(own.w);
  });
  if (step == 0 && parts_.basis) SendBasis(peers_, *parts_.basis);
  peers_.Mean(Round(step).In(kHessians), hessians_, rests_);
  peers_.ForEach([&](size_t i) {
    Own& own = own_[i];
    if (!rests_[i]) form_->Measure(i, own.worker, {own.hessian, peers_.Held(kHessians, i), own.w});
  });
  form_->Send(step, rests_);
  peers_.Mean(Round(step), gradients_, is_without_gradient_);
}

NewtonRounds::Memory StoredRounds::Save(size_t worker) const {
  const Own& own = own_[worker];
  return {.x = {server_.x().begin(), server_.x().end()},
          .z = {own.model.z().begin(), own.model.z().end()},
          .w = own.w,
          .gradient = std::vector<double>(own.w.size()),
          .model = own.model.Save(),
          .counts = own.worker.counts};
}

void StoredRounds::Load(const Memory& memory, size_t worker) {
  CheckSize(memory, *problem_);
  server_.SetX(memory.x);
  own_[worker].model.Load(memory.model, memory.z);
  own_[worker].w = memory.w;
  own_[worker].worker.counts = memory.counts;
}

}  // namespace gradwire
