// SPDX-License-Identifier: Apache-2.0
#include "driver/model_round.h"

#include <algorithm>
#include <future>
#include <memory>
#include <string>

#include "base/philox.h"
#include "gradwire/error.h"
#include "gradwire/link.h"

namespace gradwire {
namespace {

constexpr uint64_t kEveryone = ~uint32_t{0};  // stands for the worker in the key of coins that all see

/// The vectors of a step, each with memory of its own: differences of models are where gradients are before start_iter.
enum ModelChannel : uint32_t { kDifferences = 0, kShifts = 1, kAnchors = 2, kAnchorGradients = 3 };

}  // namespace

std::vector<uint32_t> ChannelsOf(const LocalConfig& config) {
  if (config.shift == "learn") return {kShifts};
  if (config.shift == "anchor") return {kAnchors, kAnchorGradients};
  return {};
}

template <typename T>
ModelRounds<T>::ModelRounds(Objective<T>& objective, BucketSink<T>& sink, const LocalConfig& config, uint64_t seed,
                            uint32_t worker, size_t bucket_bytes, std::function<void()> restart)
    : objective_(objective),
      sink_(sink),
      config_(config),
      seed_(seed),
      worker_(worker),
      bucket_bytes_(bucket_bytes),
      restart_(std::move(restart)),
      offsets_{0} {
  for (const Parameter& parameter : objective.parameters()) offsets_.push_back(offsets_.back() + parameter.numel());
}

template <typename T>
bool ModelRounds<T>::Step(const Round& round) {
  const bool is_gradient_round = round.step < static_cast<uint64_t>(config_.start_iter) || config_.is_synchronous();
  if (is_gradient_round) {
    GradientRound(objective_, sink_, round);
    return true;
  }
  if (Begin() && config_.shift == "anchor") MoveAnchor(round, Own());
  const bool moves =
      config_.anchor_p > 0 && Philox(seed_, Purpose::kSample, kEveryone, round.step).Uniform() < config_.anchor_p;
  const std::vector<T> before = moves ? Own() : std::vector<T>{};
  if (!rests_) LocalStep(round);
  const bool agrees = IsDue(round.step);
  if (agrees) Agree(round);
  // The anchor of the next step, since this one may have moved its own already.
  if (moves) MoveAnchor({round.step + 1, round.lr}, before);
  return agrees;
}

template <typename T>
void ModelRounds<T>::LocalStep(const Round& round) {
  KeepSink<T> local;
  objective_.Gradient(round, local);
  if (!shift_.empty()) {
    const double q = config_.gradient_p[worker_ % config_.gradient_p.size()];
    // With h_i all that a step would move along, the point rests, and so does h_i, until the workers agree.
    rests_ = config_.shift == "skip" && Philox(seed_, Purpose::kRest, worker_, round.step).Uniform() >= q;
    if (rests_) objective_.AddDecay();
    T* h = shift_.data();
    for (const std::span<T> g : objective_.gradient())
      for (T& value : g) rests_ ? (*h++ = value) : (value -= *h++);
    if (rests_) return;
  }
  objective_.Step(round.lr);
}

template <typename T>
bool ModelRounds<T>::IsDue(uint64_t step) const {
  if (config_.random > 0) return SharedCoin(seed_, step, config_.random, Purpose::kAgree);
  return (step + 1 - static_cast<uint64_t>(config_.start_iter)) % static_cast<uint64_t>(config_.sync_every) == 0;
}

/// Whether this is the first step of its own.
template <typename T>
bool ModelRounds<T>::Begin() {
  if (has_begun_) return false;
  has_begun_ = true;
  if (restart_ && config_.start_iter > 0) restart_();
  agreed_.resize(offsets_.back());
  delta_.resize(offsets_.back());
  if (config_.shift != "none") shift_.assign(offsets_.back(), T{0});
  if (config_.outer_momentum != 0) momentum_.assign(offsets_.back(), T{0});
  T* next = agreed_.data();
  for (const std::span<T> x : objective_.parameter_values()) next = std::ranges::copy(x, next).out;
  return true;
}

template <typename T>
void ModelRounds<T>::Agree(const Round& round) {
  if (!has_begun_) return;  // the workers have never parted
  const T ahead = static_cast<T>(round.lr / config_.probability());
  const bool skips = config_.shift == "skip" && !IsNoStep<T>(ahead);  // a step of length 0 tells the shifts nothing
  const std::vector<std::span<T>> point = objective_.parameter_values();
  for (size_t p = 0; p < point.size(); ++p)
    for (size_t i = 0, at = offsets_[p]; i < point[p].size(); ++i, ++at)
      delta_[at] = agreed_[at] - point[p][i] + (skips ? ahead * shift_[at] : T{0});
  Exchange(round.In(kDifferences), delta_);
  MoveAgreed();
  for (size_t p = 0; p < point.size(); ++p)
    for (size_t i = 0, at = offsets_[p]; i < point[p].size(); ++i, ++at) {
      if (skips) shift_[at] += (agreed_[at] - point[p][i]) / ahead;
      point[p][i] = agreed_[at];
    }
  rests_ = false;
  if (config_.shift == "learn") Learn(round);
}

/// The shift is the gradient at the agreed model, of a sample of its own.
template <typename T>
void ModelRounds<T>::Learn(const Round& round) {
  KeepSink<T> local;
  objective_.Gradient(round.In(kShifts), local);
  TakeShift(round.In(kShifts));
}

/// This worker's point, all parameters one behind another.
template <typename T>
std::vector<T> ModelRounds<T>::Own() {
  std::vector<T> own;
  for (const std::span<T> x : objective_.parameter_values()) own.insert(own.end(), x.begin(), x.end());
  return own;
}

/// The anchor moves to the mean of the workers' `points`; they stay where they are; the shift is the gradient there.
template <typename T>
void ModelRounds<T>::MoveAnchor(const Round& round, const std::vector<T>& points) {
  const std::vector<T> own = Own();
  const std::vector<std::span<T>> point = objective_.parameter_values();
  for (size_t i = 0; i < own.size(); ++i) delta_[i] = agreed_[i] - points[i];
  Exchange(round.In(kAnchors), delta_);
  for (size_t p = 0; p < point.size(); ++p)
    for (size_t i = 0; i < point[p].size(); ++i) point[p][i] = agreed_[offsets_[p] + i] - delta_[offsets_[p] + i];
  objective_.MoveAnchor();
  for (size_t p = 0; p < point.size(); ++p) std::copy_n(own.data() + offsets_[p], point[p].size(), point[p].begin());
  TakeShift(round.In(kAnchorGradients));
}

/// shift_ = what the objective has left, less the workers' mean.
template <typename T>
void ModelRounds<T>::TakeShift(const Round& round) {
  T* h = shift_.data();
  for (const std::span<T> g : objective_.gradient()) h = std::ranges::copy(g, h).out;
  delta_ = shift_;
  Exchange(round, delta_);
  for (size_t i = 0; i < shift_.size(); ++i) shift_[i] -= delta_[i];
}

template <typename T>
void ModelRounds<T>::Exchange(const Round& round, std::vector<T>& vector) {
  const Round plain = Round(round.step).In(round.channel);  // no link has the step size inside here
  std::vector<std::vector<Segment>> layout;
  size_t filled = bucket_bytes_;
  for (uint32_t p = 0; p + 1 < offsets_.size(); ++p) {
    if (filled >= bucket_bytes_) layout.emplace_back(), filled = 0;
    layout.back().push_back({p, filled / sizeof(T), offsets_[p + 1] - offsets_[p]});
    filled += layout.back().back().numel * sizeof(T);
  }
  std::vector<std::future<void>> done;
  for (uint32_t b = 0; b < layout.size(); ++b) {
    const Segment &first = layout[b].front(), &last = layout[b].back();
    const auto promise = std::make_shared<std::promise<void>>();
    done.push_back(promise->get_future());
    const std::span<T> values(vector.data() + offsets_[first.parameter], last.offset + last.numel);
    sink_.Push(plain, {b, layout[b], values}, [promise](std::exception_ptr failure) {
      failure ? promise->set_exception(failure) : promise->set_value();
    });
  }
  for (std::future<void>& bucket : done) bucket.wait();  // all, before an exception takes their memory away
  for (std::future<void>& bucket : done) bucket.get();
}

template <typename T>
void ModelRounds<T>::MoveAgreed() {
  const T lr = static_cast<T>(config_.outer_lr), mu = static_cast<T>(config_.outer_momentum);
  for (size_t i = 0; i < agreed_.size(); ++i) {
    T step = delta_[i];
    if (!momentum_.empty()) {
      momentum_[i] = mu * momentum_[i] + delta_[i];
      step = config_.outer_nesterov ? delta_[i] + mu * momentum_[i] : momentum_[i];
    }
    agreed_[i] -= lr * step;
  }
}

template <typename T>
std::vector<std::span<const T>> ModelRounds<T>::agreed() const {
  std::vector<std::span<const T>> agreed;
  if (!has_begun_) return agreed;
  for (size_t p = 0; p + 1 < offsets_.size(); ++p)
    agreed.push_back(std::span<const T>(agreed_).subspan(offsets_[p], offsets_[p + 1] - offsets_[p]));
  return agreed;
}

template <typename T>
void ModelRounds<T>::Load(Memory memory) {
  const size_t numel = memory.agreed.empty() ? 0 : offsets_.back();
  const size_t of_momentum = config_.outer_momentum != 0 ? numel : 0;
  if (config_.shift != "none" && memory.shift.empty()) memory.shift.assign(numel, T{0});
  const bool fits = memory.agreed.size() == numel && memory.momentum.size() == of_momentum &&
                    memory.shift.size() == (config_.shift != "none" ? numel : 0);
  if (!fits)
    throw Error("saved model round: found " + std::to_string(memory.agreed.size()) +
                " numbers of the agreed model and " + std::to_string(memory.momentum.size()) +
                " of its momentum, expected " + std::to_string(numel) + " and " + std::to_string(of_momentum) +
                ": it belongs to another model, outer optimizer or shift");
  has_begun_ = numel > 0;
  agreed_ = std::move(memory.agreed);
  momentum_ = std::move(memory.momentum);
  shift_ = std::move(memory.shift);
  rests_ = memory.rests;
  delta_.resize(numel);
}

template class ModelRounds<float>;
template class ModelRounds<double>;

}  // namespace gradwire
