// SPDX-License-Identifier: Apache-2.0
#include "train/bench/operator_rounds.h"

#include <algorithm>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "measure/operator_trial.h"
#include "measure/rounds.h"

namespace gradwire::train {
namespace {

constexpr size_t kWarmUpSteps = 40;
constexpr size_t kVectorsOfSet = 4;
constexpr size_t kCacheIfUnknown = size_t{32} << 20;

size_t CacheBytes() {
  const size_t bytes = LastLevelCacheBytes();
  return bytes > 0 ? bytes : kCacheIfUnknown;
}

size_t SetsFor(size_t numel) {
  const size_t vector = std::max<size_t>(numel * sizeof(float), 1);
  const size_t wanted = std::clamp<size_t>((2 * CacheBytes() + vector - 1) / vector, 3, 64);
  const size_t available = AvailableBytes(), set = kVectorsOfSet * vector;
  if (available == 0) return wanted;
  const size_t fit = available / 2 / set;
  if (fit == 0)
    throw Error(
        fmt::format("bench kernels: a set of vectors of {} float32 takes {} MB, and {} MB are free, of which "
                    "half may be taken; expected a smaller --numel",
                    numel, set >> 20, available >> 20));
  return std::min(wanted, fit);
}

/// The operator, with what its tasks need.
class Trials {
 public:
  Trials(const std::string& spec, const std::vector<Task>& tasks, BenchBuffers& buffers)
      : sets_(buffers.sets()),
        encoder_(spec, buffers.numel(), 1),
        decoder_(spec, buffers.numel(), MostPayloads(tasks)) {
    contracts_ = encoder_.compressor().contracts(Piece::Whole(std::min(buffers.numel(), kPieceNumel)));
    for (size_t worker = 0; worker < MostPayloads(tasks); ++worker)
      decoder_.Encode(worker, sets_[worker % sets_.size()].gradient.values());
    if (std::ranges::any_of(tasks, [](const Task& task) { return RooflineOf(task) == Roofline::kUpdate; })) WarmUp();
  }

  Subject SubjectOf(const Task& task) {
    const auto renew = [this](size_t set) {
      encoder_.NextStep();
      if (!contracts_) Renew(set);
    };
    switch (task.kind) {
      case Task::Kind::kEncode:
        return {[this](size_t set) { encoder_.Encode(0, sets_[set].gradient.values()); },
                [this](size_t) { encoder_.NextStep(); }};
      case Task::Kind::kFeedback: return {[this](size_t set) { EncodeWithFeedback(set, set); }, renew};
      case Task::Kind::kFirst:
        return {[this](size_t set) { EncodeWithFeedback(set, set); },
                [this, renew](size_t set) {
                  renew(set);
                  encoder_.Forget();
                }};
      case Task::Kind::kDecode:
        return {[this, count = task.payloads](size_t set) { decoder_.Decode(count, sets_[set].mean.span()); }};
    }
    return {};
  }

  size_t PayloadBytes() const { return decoder_.PayloadBytes(0); }

 private:
  static size_t MostPayloads(const std::vector<Task>& tasks) {
    size_t most = 1;
    for (const Task& task : tasks) most = std::max(most, task.payloads);
    return most;
  }

  void EncodeWithFeedback(size_t gradient, size_t set) {
    encoder_.EncodeWithFeedback(0, sets_[gradient].gradient.values(), sets_[set].residual.span());
  }

  /// By streaming stores, so that it does not lie in the cache then.
  void Renew(size_t set) {
    Pass(Roofline::kCopy, sets_[(set + 1) % sets_.size()].gradient.values(), sets_[set].residual.span());
  }

  /// One residual takes the steps, and the others what it has become.
  void WarmUp() {
    for (size_t set = 0; set < sets_.size(); ++set) Renew(set);
    if (!contracts_) return;
    for (size_t step = 0; step < kWarmUpSteps; ++step) {
      encoder_.NextStep();
      EncodeWithFeedback(step % sets_.size(), 0);
    }
    for (size_t set = 1; set < sets_.size(); ++set)
      std::ranges::copy(sets_[0].residual.values(), sets_[set].residual.span().begin());
  }

  std::vector<BenchBuffers::Set>& sets_;
  OperatorTrial encoder_, decoder_;
  bool contracts_ = false;
};

}  // namespace

BenchBuffers::BenchBuffers(size_t numel) : numel_(numel) {
  const size_t count = SetsFor(numel);
  for (size_t i = 0; i < count; ++i) {
    const Set& set = sets_.emplace_back(numel);
    FillWithGradient(set.gradient.span(), /*seed=*/i + 1);
  }
}

bool BenchBuffers::leave_the_cache() const { return sets_.size() * numel_ * sizeof(float) >= 2 * CacheBytes(); }

OperatorTimes TimeOperator(const std::string& spec, const std::vector<Task>& tasks, BenchBuffers& buffers,
                           size_t rounds) {
  auto& sets = buffers.sets();
  Trials trials(spec, tasks, buffers);
  std::vector<Subject> subjects;
  for (const Roofline roofline : kRooflines)
    subjects.push_back(
        {[&sets, roofline](size_t set) { Pass(roofline, sets[set].gradient.values(), sets[set].copy.span()); }});
  for (const Task& task : tasks) subjects.push_back(trials.SubjectOf(task));
  const auto times = TimeRounds(subjects, rounds, sets.size(), Clock::kThread);
  OperatorTimes result{.spec = spec, .payload_bytes = trials.PayloadBytes(), .tasks = {}, .rooflines = {}};
  for (size_t r = 0; r < kRooflines.size(); ++r) result.rooflines[r] = MedianInterval(times[r]);
  for (size_t i = 0; i < tasks.size(); ++i) {
    const auto& seconds = times[kRooflines.size() + i];
    Timed timed{.task = tasks[i], .seconds = MedianInterval(seconds), .ratios = {}};
    for (size_t r = 0; r < kRooflines.size(); ++r) timed.ratios[r] = MedianOfRatios(seconds, times[r]);
    result.tasks.push_back(timed);
  }
  return result;
}

}  // namespace gradwire::train
