// SPDX-License-Identifier: Apache-2.0
#include "driver/model_round.h"

#include <algorithm>
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
ModelRounds<T>::ModelRounds(Workers<T>& workers, const LocalConfig& config, uint64_t seed, uint32_t first,
                            std::function<void()> restart)
    : ModelRounds(nullptr, &workers, config, seed, first, std::move(restart)) {}

template <typename T>
ModelRounds<T>::ModelRounds(Objective<T>& objective, BucketSink<T>& sink, const LocalConfig& config, uint64_t seed,
                            uint32_t worker, size_t bucket_bytes, std::function<void()> restart)
    : ModelRounds(std::make_unique<OneWorker<T>>(objective, sink, bucket_bytes), nullptr, config, seed, worker,
                  std::move(restart)) {}

template <typename T>
ModelRounds<T>::ModelRounds(std::unique_ptr<Workers<T>> own, Workers<T>* workers, const LocalConfig& config,
                            uint64_t seed, uint32_t first, std::function<void()> restart)
    : own_(std::move(own)),
      workers_(own_ ? *own_ : *workers),
      config_(config),
      seed_(seed),
      first_(first),
      restart_(std::move(restart)),
      offsets_{0},
      deltas_(workers_.size()),
      states_(workers_.size()) {
  for (const Parameter& parameter : workers_[0].parameters()) offsets_.push_back(offsets_.back() + parameter.numel());
}

template <typename T>
bool ModelRounds<T>::Step(const Round& round) {
  const bool is_gradient_round = round.step < static_cast<uint64_t>(config_.start_iter) || config_.is_synchronous();
  if (is_gradient_round) {
    workers_.Gradients(round);
    workers_.ForEach([&](size_t worker) { workers_[worker].Step(round.lr); });
    return true;
  }
  if (Begin() && config_.shift == "anchor") MoveAnchor(round, Points());
  const bool moves =
      config_.anchor_p > 0 && Philox(seed_, Purpose::kSample, kEveryone, round.step).Uniform() < config_.anchor_p;
  const Vectors before = moves ? Points() : Vectors{};
  workers_.ForEach([&](size_t worker) {
    if (!states_[worker].rests) LocalStep(round, worker);
  });
  const bool agrees = IsDue(round.step);
  if (agrees) Agree(round);
  // The anchor of the next step, since this one may have moved its own already.
  if (moves) MoveAnchor({round.step + 1, round.lr}, before);
  return agrees;
}

template <typename T>
void ModelRounds<T>::LocalStep(const Round& round, size_t worker) {
  KeepSink<T> local;
  Objective<T>& objective = workers_[worker];
  objective.Gradient(round, local);
  auto& [shift, rests] = states_[worker];
  if (!shift.empty()) {
    const uint32_t rank = first_ + static_cast<uint32_t>(worker);
    const double q = config_.gradient_p[rank % config_.gradient_p.size()];
    // With h_i all that a step would move along, the point rests, and so does h_i, until the workers agree.
    rests = config_.shift == "skip" && Philox(seed_, Purpose::kRest, rank, round.step).Uniform() >= q;
    if (rests) objective.AddDecay();
    T* h = shift.data();
    for (const std::span<T> g : objective.gradient())
      for (T& value : g) rests ? (*h++ = value) : (value -= *h++);
    if (rests) return;
  }
  objective.Step(round.lr);
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
  for (std::vector<T>& delta : deltas_) delta.resize(offsets_.back());
  for (Worker& state : states_)
    if (config_.shift != "none") state.shift.assign(offsets_.back(), T{0});
  if (config_.outer_momentum != 0) momentum_.assign(offsets_.back(), T{0});
  agreed_ = PointOf(0);
  return true;
}

template <typename T>
void ModelRounds<T>::Agree(const Round& round) {
  if (!has_begun_) return;  // the workers have never parted
  const T ahead = static_cast<T>(round.lr / config_.probability());
  const bool skips = config_.shift == "skip" && !IsNoStep<T>(ahead);  // a step of length 0 tells the shifts nothing
  workers_.ForEach([&](size_t worker) {
    const std::vector<std::span<T>> point = workers_[worker].parameter_values();
    for (size_t p = 0; p < point.size(); ++p)
      for (size_t i = 0, at = offsets_[p]; i < point[p].size(); ++i, ++at)
        deltas_[worker][at] = agreed_[at] - point[p][i] + (skips ? ahead * states_[worker].shift[at] : T{0});
  });
  Exchange(round.In(kDifferences));
  MoveAgreed();
  workers_.ForEach([&](size_t worker) {
    const std::vector<std::span<T>> point = workers_[worker].parameter_values();
    for (size_t p = 0; p < point.size(); ++p)
      for (size_t i = 0, at = offsets_[p]; i < point[p].size(); ++i, ++at) {
        if (skips) states_[worker].shift[at] += (agreed_[at] - point[p][i]) / ahead;
        point[p][i] = agreed_[at];
      }
    states_[worker].rests = false;
  });
  if (config_.shift == "learn") Learn(round);
}

/// The shift is the gradient at the agreed model, of a sample of its own.
template <typename T>
void ModelRounds<T>::Learn(const Round& round) {
  workers_.ForEach([&](size_t worker) {
    KeepSink<T> local;
    workers_[worker].Gradient(round.In(kShifts), local);
  });
  TakeShift(round.In(kShifts));
}

/// A worker's point, all parameters one behind another.
template <typename T>
std::vector<T> ModelRounds<T>::PointOf(size_t worker) const {
  std::vector<T> point;
  for (const std::span<T> x : workers_[worker].parameter_values()) point.insert(point.end(), x.begin(), x.end());
  return point;
}

template <typename T>
typename ModelRounds<T>::Vectors ModelRounds<T>::Points() const {
  Vectors points;
  for (size_t worker = 0; worker < workers_.size(); ++worker) points.push_back(PointOf(worker));
  return points;
}

/// The anchor moves to the mean of the workers' `points`; they stay where they are; the shift is the gradient there.
template <typename T>
void ModelRounds<T>::MoveAnchor(const Round& round, const Vectors& points) {
  for (size_t worker = 0; worker < points.size(); ++worker)
    for (size_t i = 0; i < agreed_.size(); ++i) deltas_[worker][i] = agreed_[i] - points[worker][i];
  Exchange(round.In(kAnchors));
  workers_.ForEach([&](size_t worker) {
    const std::vector<T> own = PointOf(worker);
    const std::vector<std::span<T>> point = workers_[worker].parameter_values();
    for (size_t p = 0; p < point.size(); ++p)
      for (size_t i = 0; i < point[p].size(); ++i)
        point[p][i] = agreed_[offsets_[p] + i] - deltas_[worker][offsets_[p] + i];
    workers_[worker].MoveAnchor();
    for (size_t p = 0; p < point.size(); ++p) std::copy_n(own.data() + offsets_[p], point[p].size(), point[p].begin());
  });
  TakeShift(round.In(kAnchorGradients));
}

/// A worker's shift is what its objective has left, less the workers' mean.
template <typename T>
void ModelRounds<T>::TakeShift(const Round& round) {
  for (size_t worker = 0; worker < workers_.size(); ++worker) {
    T* h = states_[worker].shift.data();
    for (const std::span<T> g : workers_[worker].gradient()) h = std::ranges::copy(g, h).out;
    deltas_[worker] = states_[worker].shift;
  }
  Exchange(round);
  for (size_t worker = 0; worker < workers_.size(); ++worker)
    for (size_t i = 0; i < agreed_.size(); ++i) states_[worker].shift[i] -= deltas_[worker][i];
}

template <typename T>
void ModelRounds<T>::Exchange(const Round& round) {
  workers_.Exchange(Round(round.step).In(round.channel), deltas_);  // no link has the step size inside here
}

template <typename T>
void ModelRounds<T>::MoveAgreed() {
  const T lr = static_cast<T>(config_.outer_lr), mu = static_cast<T>(config_.outer_momentum);
  for (size_t i = 0; i < agreed_.size(); ++i) {
    const T mean = deltas_[0][i];
    T step = mean;
    if (!momentum_.empty()) {
      momentum_[i] = mu * momentum_[i] + mean;
      step = config_.outer_nesterov ? mean + mu * momentum_[i] : momentum_[i];
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
typename ModelRounds<T>::Memory ModelRounds<T>::Save(size_t worker) const {
  return {agreed_, momentum_, states_[worker].shift, states_[worker].rests};
}

template <typename T>
void ModelRounds<T>::Load(Memory memory, size_t worker) {
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
  states_[worker] = {std::move(memory.shift), memory.rests};
  deltas_[worker].resize(numel);
}

template class ModelRounds<float>;
template class ModelRounds<double>;

}  // namespace gradwire
