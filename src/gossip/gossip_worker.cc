// SPDX-License-Identifier: Apache-2.0
#include "gossip/gossip_worker.h"

#include <utility>

namespace gradwire {

template <typename T>
GossipWorker<T>::GossipWorker(std::vector<T> start, const GossipParts& parts, GossipObjective<T>& objective)
    : parts_(parts),
      objective_(objective),
      x_(std::move(start)),
      before_(x_),
      v_(x_.size()),
      m_(x_.size()),
      estimate_(x_.size()),
      earlier_(parts.method->two_points ? x_.size() : 0) {
  if (parts.method->pushes) quotient_ = x_, x_.push_back(1);
}

template <typename T>
void GossipWorker<T>::Begin() {
  objective_.Sample(0);
  objective_.Estimate(model(), m_);
  v_ = m_;
}

template <typename T>
void GossipWorker<T>::Move(std::span<const T> mixed, double lr) {
  const T step = static_cast<T>(lr);
  for (size_t j = 0; j < v_.size(); ++j) x_[j] += (mixed.empty() ? 0 : mixed[j]) - step * v_[j];
}

template <typename T>
void GossipWorker<T>::Mix(std::span<const T> mixed) {
  for (size_t j = 0; j < x_.size(); ++j) x_[j] += mixed[j];
  Divide();
}

template <typename T>
void GossipWorker<T>::Divide() {
  for (size_t j = 0; j < quotient_.size(); ++j) quotient_[j] = x_[j] / x_.back();
}

template <typename T>
void GossipWorker<T>::Look(const Round& round, std::span<const T> mixed) {
  objective_.Sample(round);
  objective_.Estimate(model(), estimate_);
  if (parts_.method->two_points) objective_.Estimate(before_, earlier_);
  const T lambda = static_cast<T>(parts_.lambda);
  for (size_t j = 0; j < v_.size(); ++j) {
    const T m = parts_.method->two_points ? estimate_[j] + (1 - lambda) * (m_[j] - earlier_[j])
                                          : (1 - lambda) * m_[j] + lambda * estimate_[j];
    v_[j] = parts_.method->tracks ? v_[j] + mixed[j] + (m - m_[j]) : m;
    m_[j] = m;
  }
  before_.assign(model().begin(), model().end());
}

template class GossipWorker<float>;
template class GossipWorker<double>;

}  // namespace gradwire
