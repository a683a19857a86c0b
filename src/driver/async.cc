// SPDX-License-Identifier: Apache-2.0
#include "driver/async.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "gradwire/cost.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

template <typename T>
AsyncServer<T>::AsyncServer(Objective<T>& model, AsyncParts parts, const AsyncConfig& config, uint64_t seed,
                            uint64_t token)
    : model_(model),
      parts_(std::move(parts)),
      config_(config),
      seed_(seed),
      token_(token),
      flat_(Numel(model.parameters())) {}

template <typename T>
std::vector<AsyncJob> AsyncServer<T>::Join(uint32_t worker) {
  Meet(worker);
  present_.push_back(worker);
  permutation_.clear();
  std::vector<AsyncJob> jobs;
  jobs.push_back(Give(worker));
  return jobs;
}

/// The server's entry of a worker, made at first use.
template <typename T>
typename AsyncServer<T>::Worker& AsyncServer<T>::Meet(uint32_t worker) {
  const std::vector<Parameter>& parameters = model_.parameters();
  const int number = static_cast<int>(worker);
  const auto make = [&] {
    return Worker{LinkEnd<T>(parameters, parts_.up, number, token_),
                  ModelLink<T>(parameters, parts_.down, number, token_)};
  };
  const auto found = workers_.find(worker);
  return found != workers_.end() ? found->second : workers_.emplace(worker, make()).first->second;
}

template <typename T>
std::vector<AsyncJob> AsyncServer<T>::Leave(uint32_t worker) {
  for (const Out& job : workers_.at(worker).jobs) again_.push_back(job.number), --out_;
  workers_.erase(worker);
  std::erase(present_, worker);
  std::erase(finished_, worker);
  permutation_.clear();
  return Assignments();
}

template <typename T>
std::vector<AsyncJob> AsyncServer<T>::Apply(uint32_t worker, std::span<const std::byte> message) {
  Worker& from = workers_.at(worker);
  const auto refuse = [&](const char* what) {
    throw PeerError(static_cast<int>(worker), "worker " + std::to_string(worker) + " sent " + what);
  };
  if (from.jobs.empty()) refuse("a gradient without having a job");
  const Out job = from.jobs.front();
  const auto begin = Clock::now();
  from.up.Unpack(from.received++, job.lr, message, flat_);
  if (!kernels::AllFinite<T>(flat_)) refuse("a gradient with a non-finite element");
  stats_.decode_s += std::chrono::duration<double>(Clock::now() - begin).count();
  stats_.bytes_up += message.size();
  from.jobs.pop_front();
  --out_;
  last_ = {worker, job.number, job.version, stats_.applied};
  last_.dropped = config_.max_staleness > 0 && last_.staleness() > static_cast<uint64_t>(config_.max_staleness);
  if (last_.dropped) {
    ++stats_.dropped;
  } else {
    StepAlong(flat_);
    ++stats_.applied;
    ++stats_.staleness[last_.staleness()];
    stats_.tau_max = std::max(stats_.tau_max, last_.staleness());
  }
  finished_.push_back(worker);
  return Assignments();
}

/// The jobs that are to be handed out now. Those that are out, and those that wait for others to be handed out with,
/// are together as many as there are workers.
template <typename T>
std::vector<AsyncJob> AsyncServer<T>::Assignments() {
  std::vector<AsyncJob> jobs;
  if (finished_.size() >= std::min(static_cast<size_t>(config_.wait_for), present_.size())) {
    const std::vector<uint32_t> finished = std::exchange(finished_, {});
    if (config_.assign == Assign::kPure)
      for (const uint32_t finisher : finished) jobs.push_back(Give(finisher));
  }
  while (out_ + finished_.size() < present_.size()) jobs.push_back(Give(NextWorker()));
  return jobs;
}

template <typename T>
AsyncJob AsyncServer<T>::Give(uint32_t worker) {
  Worker& to = workers_.at(worker);
  AsyncJob job{worker, NextNumber(), stats_.applied, lr_, {}};
  job.model = to.down.Pack(Model());
  stats_.bytes_down += job.model.size();
  to.jobs.push_back({job.number, job.version, job.lr});
  stats_.tau_c = std::max(stats_.tau_c, ++out_);
  return job;
}

template <typename T>
uint64_t AsyncServer<T>::NextNumber() {
  if (again_.empty()) return next_number_++;
  const uint64_t number = again_.front();
  again_.pop_front();
  return number;
}

template <typename T>
uint32_t AsyncServer<T>::NextWorker() {
  const size_t n = present_.size();
  if (config_.assign == Assign::kRandom) {
    const double draw = Philox(seed_, Purpose::kShuffle, 1, draws_++).Uniform();
    return present_[std::min(n - 1, static_cast<size_t>(draw * static_cast<double>(n)))];
  }
  if (permutation_.empty() || next_ == permutation_.size()) {
    next_ = 0;
    if (permutation_.empty() || config_.assign != Assign::kShuffleOnce) Shuffle();
  }
  return permutation_[next_++];
}

/// Fisher and Yates.
template <typename T>
void AsyncServer<T>::Shuffle() {
  permutation_ = present_;
  Philox random(seed_, Purpose::kShuffle, 2, draws_++);
  for (size_t i = permutation_.size(); i > 1; --i) {
    const auto j = std::min(i - 1, static_cast<size_t>(random.Uniform() * static_cast<double>(i)));
    std::swap(permutation_[i - 1], permutation_[j]);
  }
}

template <typename T>
std::span<const T> AsyncServer<T>::Model() {
  auto at = flat_.begin();
  for (const std::span<T> part : model_.parameter_values()) at = std::ranges::copy(part, at).out;
  return flat_;
}

template <typename T>
void AsyncServer<T>::StepAlong(std::span<const T> gradient) {
  for (const std::span<T> part : model_.gradient()) {
    std::ranges::copy(gradient.first(part.size()), part.begin());
    gradient = gradient.subspan(part.size());
  }
  model_.Step(lr_);
}

template <typename T>
std::vector<uint64_t> AsyncServer<T>::Unfinished() const {
  std::vector<uint64_t> numbers(again_.begin(), again_.end());
  for (const auto& item : workers_)
    for (const Out& job : item.second.jobs) numbers.push_back(job.number);
  std::ranges::sort(numbers);
  return numbers;
}

template <typename T>
void AsyncServer<T>::Resume(uint64_t next_number, const std::vector<uint64_t>& unfinished, const AsyncStats& stats) {
  next_number_ = next_number;
  again_.assign(unfinished.begin(), unfinished.end());
  stats_ = stats;
}

template class AsyncServer<float>;
template class AsyncServer<double>;

}  // namespace gradwire
