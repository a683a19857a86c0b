// SPDX-License-Identifier: Apache-2.0
#include "train/run/network_anchor.h"

#include <utility>

#include "base/philox.h"
#include "kernels/kernels.h"
#include "train/run/whole_model.h"

namespace gradwire::train {
namespace {

constexpr int64_t kTouch = 8;  // batches
constexpr const char *kAnchor = "anchor", *kFull = "gradient at the anchor";

int64_t PeriodOf(const NetworkContext& context) {
  const int64_t period = context.config.objective.anchor_period;
  return period > 0 ? period : context.batches.per_epoch();
}

std::vector<float> Floats(const Snapshot& file, const char* name) {
  std::vector<float> values(file.Bytes(name).size() / sizeof(float));
  file.Fill(name, std::span<float>(values));
  return values;
}

}  // namespace

void NetworkAnchor::Sink::Push(const Round& round, const Bucket<float>& bucket,
                               std::function<void(std::exception_ptr)> done) {
  if (bucket.fetch) bucket.fetch();
  for (const Segment& segment : bucket.segments)
    kernels::Add<float>(std::span(correction).subspan(begins[segment.parameter], segment.numel),
                        bucket.values.subspan(segment.offset, segment.numel));
  Bucket<float> corrected = bucket;
  corrected.fetch = {};
  next->Push(round, corrected, std::move(done));
}

NetworkAnchor::NetworkAnchor(const NetworkContext& context)
    : context_(context), p_(1 / static_cast<double>(PeriodOf(context))) {
  size_t begin = 0;
  for (const Parameter& parameter : context.network.parameters()) {
    sink_.begins.push_back(begin);
    begin += parameter.numel();
  }
}

void NetworkAnchor::Begin(const Round& round) {
  if (anchor_.empty()) MoveToPoint(round.step);
}

BucketSink<float>& NetworkAnchor::Correcting(BucketSink<float>& sink) {
  sink_.next = &sink;
  sink_.correction = full_;
  AddGradient(-1, sink_.correction);
  return sink_;
}

void NetworkAnchor::End(const Round& round) {
  if (SharedCoin(context_.config.run.seed, round.draw(), p_, Purpose::kSample)) MoveToPoint(round.step);
}

void NetworkAnchor::MoveToPoint(uint64_t step) {
  anchor_ = WholePoint(context_.network);
  full_.assign(anchor_.size(), 0);
  const int64_t batches = context_.batches.per_epoch(), first = static_cast<int64_t>(step) / batches * batches;
  for (int64_t b = 0; b < batches; ++b) {
    context_.SetBatch(first + b);
    AddGradient(1 / static_cast<float>(batches), full_);
    if (b % kTouch == kTouch - 1) Touch();
  }
}

/// A faster rank waits here rather than at the next bucket, and no wait is as long as an epoch.
void NetworkAnchor::Touch() const {
  double nothing = 0;
  Collective& collective = *context_.world.metrics_collective;
  collective.Finish(collective.StartAllReduce(std::span(&nothing, 1)));
}

void NetworkAnchor::AddGradient(float weight, std::vector<float>& sum) const {
  const auto gradients = context_.network.GradientAt(Parts(anchor_, context_.network.parameters()));
  size_t begin = 0;
  for (const at::Tensor& gradient : gradients) {
    const std::span values(gradient.const_data_ptr<float>(), static_cast<size_t>(gradient.numel()));
    kernels::AddValues(std::as_bytes(values).data(), 1.0f, weight, std::span(sum).subspan(begin, values.size()));
    begin += values.size();
  }
}

void NetworkAnchor::Save(Snapshot& file) const {
  file.Put(kAnchor, std::span<const float>(anchor_));
  file.Put(kFull, std::span<const float>(full_));
}

void NetworkAnchor::Load(const train::Save& save) {
  if (save.other_world) return;
  anchor_ = Floats(save.files[0], kAnchor);
  full_ = Floats(save.files[0], kFull);
}

}  // namespace gradwire::train
