// SPDX-License-Identifier: Apache-2.0
#include "gossip/gossip_worker.h"

#include "gradwire/error.h"

namespace gradwire {

GossipWorker::GossipWorker(const Problem& problem, const GossipParts& parts, std::unique_ptr<Estimator> estimator)
    : parts_(parts),
      estimator_(std::move(estimator)),
      x_(problem.start),
      before_(x_),
      v_(x_.size()),
      m_(x_.size()),
      estimate_(x_.size()),
      earlier_(x_.size()) {
  if (parts.method->pushes) quotient_ = x_, x_.push_back(1);
  if (parts.method->two_points && !estimator_->memory().vectors.empty())
    throw ConfigError("objective.estimator",
                      std::string(parts.method->name) +
                          " takes the same samples at two points; expected an estimator without memory, full or sgd");
}

void GossipWorker::Begin() {
  estimator_->Estimate(model(), estimator_->Next(0), m_);
  v_ = m_;
}

void GossipWorker::Move(std::span<const double> mixed, double lr) {
  for (size_t j = 0; j < v_.size(); ++j) x_[j] += (mixed.empty() ? 0 : mixed[j]) - lr * v_[j];
}

void GossipWorker::Mix(std::span<const double> mixed) {
  for (size_t j = 0; j < x_.size(); ++j) x_[j] += mixed[j];
  Divide();
}

void GossipWorker::Divide() {
  for (size_t j = 0; j < quotient_.size(); ++j) quotient_[j] = x_[j] / x_.back();
}

void GossipWorker::Look(const Round& round, std::span<const double> mixed) {
  const Handle handle = estimator_->Next(round);
  estimator_->Estimate(model(), handle, estimate_);
  if (parts_.method->two_points) estimator_->Estimate(before_, handle, earlier_);
  const double lambda = parts_.lambda;
  for (size_t j = 0; j < v_.size(); ++j) {
    const double m = parts_.method->two_points ? estimate_[j] + (1 - lambda) * (m_[j] - earlier_[j])
                                               : (1 - lambda) * m_[j] + lambda * estimate_[j];
    v_[j] = parts_.method->tracks ? v_[j] + mixed[j] + (m - m_[j]) : m;
    m_[j] = m;
  }
  before_.assign(model().begin(), model().end());
}

}  // namespace gradwire
