// SPDX-License-Identifier: Apache-2.0
#include "hooks/comm_hook.h"

#include <string>

#include "gradwire/error.h"

namespace gradwire {
namespace {

void CheckBuffer(const at::Tensor& buffer) {
  if (buffer.scalar_type() != at::kFloat || !buffer.is_cpu() || !buffer.is_contiguous())
    throw Error("gradient bucket of " + std::string(c10::toString(buffer.scalar_type())) + " on " +
                buffer.device().str() + ": expected contiguous float32 on cpu");
}

class CommHook final : public c10d::CommHookInterface {
 public:
  explicit CommHook(std::shared_ptr<GradientRoute> route) : route_(std::move(route)) {}

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override { return route_->Push(bucket); }

  at::Tensor parseHookResult(const c10::IValue& result) override { return result.toTensor(); }

 private:
  std::shared_ptr<GradientRoute> route_;
};

}  // namespace

GradientRoute::GradientRoute(const std::vector<at::Tensor>& parameters, BucketSink<float>& sink) : sink_(&sink) {
  for (const at::Tensor& parameter : parameters)
    ids_.emplace(parameter.unsafeGetTensorImpl(), static_cast<uint32_t>(ids_.size()));
}

void GradientRoute::Restart(const Round& round, BucketSink<float>& sink) {
  round_ = round;
  sink_ = &sink;
}

c10::intrusive_ptr<c10::ivalue::Future> GradientRoute::Push(c10d::GradBucket& bucket) {
  const at::Tensor buffer = bucket.getBuffer();
  CheckBuffer(buffer);
  const auto segments = SegmentsOf(bucket);
  auto future = c10::make_intrusive<c10::ivalue::Future>(c10::TensorType::get());
  const bool last = bucket.isLast();
  const auto pushed = Clock::now();
  const Bucket<float> handed{static_cast<uint32_t>(bucket.getIndex()),
                             *segments,
                             {buffer.mutable_data_ptr<float>(), static_cast<size_t>(buffer.numel())}};
  const Round round = round_;
  if (last) ++round_.step;
  sink_->Push(round, handed, [this, future, buffer, segments, last, pushed](std::exception_ptr failure) {
    if (last) exposed_s_ = exposed_s_ + std::chrono::duration<double>(Clock::now() - pushed).count();
    if (failure)
      future->setError(failure);
    else
      future->markCompleted(buffer);
  });
  return future;
}

std::shared_ptr<const std::vector<Segment>> GradientRoute::SegmentsOf(const c10d::GradBucket& bucket) const {
  auto segments = std::make_shared<std::vector<Segment>>();
  size_t offset = 0;
  for (const at::Tensor& parameter : bucket.getParameters()) {
    const auto found = ids_.find(parameter.unsafeGetTensorImpl());
    if (found == ids_.end()) throw Error("gradient bucket with a parameter that the exchange was not made with");
    const auto numel = static_cast<size_t>(parameter.numel());
    segments->push_back({found->second, offset, numel});
    offset += numel;
  }
  return segments;
}

std::unique_ptr<c10d::CommHookInterface> MakeCommHook(std::shared_ptr<GradientRoute> route) {
  return std::make_unique<CommHook>(std::move(route));
}

}  // namespace gradwire
