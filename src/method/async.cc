// SPDX-License-Identifier: Apache-2.0
#include "gradwire/async.h"

#include <algorithm>
#include <numeric>

namespace gradwire {

template <typename T>
AsyncServer<T>::AsyncServer(std::vector<T> x, const std::vector<Parameter>& parameters, const ExchangeParts& parts,
                            size_t workers, const AsyncConfig& config, uint64_t seed, uint64_t token)
    : x_(std::move(x)), gradient_(x_.size()), config_(config), seed_(seed), permutation_(workers) {
  for (size_t i = 0; i < workers; ++i) workers_.push_back({LinkEnd<T>(parameters, parts, static_cast<int>(i), token)});
  std::iota(permutation_.begin(), permutation_.end(), 0u);
  Shuffle();
}

template <typename T>
std::vector<Job> AsyncServer<T>::Start() {
  std::vector<Job> jobs;
  for (uint32_t worker = 0; worker < workers_.size(); ++worker) jobs.push_back(Give(worker));
  return jobs;
}

template <typename T>
std::vector<Job> AsyncServer<T>::Apply(uint32_t worker, double lr, std::span<const std::byte> message) {
  Worker& from = workers_.at(worker);
  from.link.Unpack(from.received++, lr, message, gradient_);
  const uint64_t staleness = stats_.applied - from.jobs.front();
  from.jobs.pop_front();
  --out_;
  if (config_.max_staleness > 0 && staleness > static_cast<uint64_t>(config_.max_staleness)) {
    ++stats_.dropped;
  } else {
    for (size_t i = 0; i < x_.size(); ++i) x_[i] -= static_cast<T>(lr) * gradient_[i];
    ++stats_.applied;
    ++stats_.staleness[staleness];
    stats_.tau_max = std::max(stats_.tau_max, staleness);
  }
  finished_.push_back(worker);
  return finished_.size() < static_cast<size_t>(config_.wait_for) ? std::vector<Job>{} : Assignments();
}

template <typename T>
std::vector<Job> AsyncServer<T>::Assignments() {
  std::vector<Job> jobs;
  for (const uint32_t finisher : finished_)
    jobs.push_back(Give(config_.assign == Assign::kPure ? finisher : NextWorker()));
  finished_.clear();
  return jobs;
}

template <typename T>
Job AsyncServer<T>::Give(uint32_t worker) {
  workers_[worker].jobs.push_back(stats_.applied);
  stats_.tau_c = std::max(stats_.tau_c, ++out_);
  return {worker, stats_.applied};
}

template <typename T>
uint32_t AsyncServer<T>::NextWorker() {
  const auto n = static_cast<uint32_t>(workers_.size());
  if (config_.assign == Assign::kRandom)
    return std::min(n - 1, static_cast<uint32_t>(Philox(seed_, Purpose::kShuffle, 1, draws_++).Uniform() * n));
  if (next_ == permutation_.size()) {
    next_ = 0;
    if (config_.assign == Assign::kShuffled) Shuffle();
  }
  return permutation_[next_++];
}

/// Fisher and Yates.
template <typename T>
void AsyncServer<T>::Shuffle() {
  Philox random(seed_, Purpose::kShuffle, 2, draws_++);
  for (size_t i = permutation_.size(); i > 1; --i) {
    const auto j = std::min(i - 1, static_cast<size_t>(random.Uniform() * static_cast<double>(i)));
    std::swap(permutation_[i - 1], permutation_[j]);
  }
}

template class AsyncServer<float>;
template class AsyncServer<double>;

}  // namespace gradwire
