// SPDX-License-Identifier: Apache-2.0
#include "hooks/comm_hook.h"

#include <cmath>
#include <string>

#include <ATen/core/grad_mode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "gradwire/error.h"
#include "hooks/staging.h"

namespace gradwire {
namespace {

template <typename T>
class CommHook final : public c10d::CommHookInterface {
 public:
  explicit CommHook(std::shared_ptr<GradientRoute<T>> route) : route_(std::move(route)) {}

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override { return route_->Push(bucket); }

  at::Tensor parseHookResult(const c10::IValue& result) override { return result.toTensor(); }

 private:
  std::shared_ptr<GradientRoute<T>> route_;
};

/// The values go back into the bucket, as the Reducer will read them.
template <typename T>
void Return(Staging<T>& staging, const at::Tensor& buffer, const std::vector<ReducerView::Misread>& misread) {
  staging.Return();
  const at::NoGradGuard no_grad;
  for (const ReducerView::Misread& gradient : misread) gradient.Mend(buffer);
}

/// On another device the results go back on a stream of their own; the future makes whoever waits for it wait for that.
template <typename T>
void Complete(Staging<T>& staging, const at::Tensor& buffer, const std::vector<ReducerView::Misread>& misread,
              c10::ivalue::Future& future) {
  if (buffer.is_cpu()) {
    Return(staging, buffer, misread);
    future.markCompleted(buffer);
    return;
  }
  const c10::impl::VirtualGuardImpl device(buffer.device().type());
  const c10::StreamGuard guard(device.getStreamFromGlobalPool(buffer.device()));
  Return(staging, buffer, misread);
  device.recordDataPtrOnStream(buffer.storage().data_ptr(), guard.current_stream());
  future.markCompleted(buffer);
}

c10::intrusive_ptr<c10::ivalue::Future> FutureFor(const at::Tensor& buffer) {
  std::vector<c10::Device> devices;
  if (!buffer.is_cpu()) devices.push_back(buffer.device());
  return c10::make_intrusive<c10::ivalue::Future>(c10::TensorType::get(), devices);
}

}  // namespace

void CheckRates(const std::vector<Parameter>& parameters, const std::vector<double>& lrs) {
  if (lrs.size() != parameters.size())
    throw Error("found " + std::to_string(lrs.size()) + " step sizes, expected one for each of " +
                std::to_string(parameters.size()) + " parameters");
  for (size_t i = 0; i < lrs.size(); ++i)
    if (!(lrs[i] >= 0) || std::isinf(lrs[i]))
      throw Error("parameter " + parameters[i].name + ": found the learning rate " + std::to_string(lrs[i]) +
                  ", expected a finite number, 0 or more");
}

template <typename T>
GradientRoute<T>::GradientRoute(const NamedTensors& named, BucketSink<T>& sink, bool needs_rates)
    : sink_(&sink), lacks_rates_(needs_rates) {
  for (const auto& [name, parameter] : named) {
    ids_.emplace(parameter.unsafeGetTensorImpl(), static_cast<uint32_t>(ids_.size()));
    names_.push_back(name);
  }
}

template <typename T>
void GradientRoute<T>::Follow(const std::shared_ptr<c10d::Reducer>& reducer, Arrange arrange) {
  reducer_ = reducer;
  arrange_ = std::move(arrange);
  has_rebuilt_ = ReducerView(*reducer).has_rebuilt();
}

template <typename T>
void GradientRoute<T>::FollowRebuild(const c10d::Reducer& reducer) {
  if (has_rebuilt_ == ReducerView(reducer).has_rebuilt()) return;
  const auto of_parameter = ReducerView(reducer).orders();
  std::vector<ElementOrder> orders(names_.size());
  for (const auto& [parameter, id] : ids_)
    if (const auto found = of_parameter.find(parameter); found != of_parameter.end()) orders[id] = found->second;
  arrange_(orders);
  has_rebuilt_ = true;
}

/// module.to(memory_format) gives gradients other memory, and the Reducer then writes where nobody reads.
template <typename T>
void GradientRoute<T>::CheckViews(const c10d::GradBucket& bucket, const c10d::Reducer& reducer) const {
  const auto detached = ReducerView(reducer).detached(bucket.getIndex());
  if (!detached) return;
  throw Error("the gradient of " + NameOf(bucket.getParameters()[*detached]) +
              " lies in DDP's bucket no more: something gave it other memory, as module.to() does while there are "
              "gradients, and DDP can never average it again. Expected optimizer.zero_grad(set_to_none=True) before "
              "module.to(), or gradient_as_bucket_view=False");
}

template <typename T>
void GradientRoute<T>::Restart(const Round& round, BucketSink<T>& sink) {
  round_ = round;
  sink_ = &sink;
  lacks_rates_ = false;
}

template <typename T>
void GradientRoute<T>::Redirect(BucketSink<T>& sink) {
  const std::lock_guard lock(mutex_);
  sink_ = &sink;
  contents_.clear();
}

template <typename T>
void GradientRoute<T>::SetRates(std::vector<double> lrs) {
  round_.lrs = std::make_shared<const std::vector<double>>(std::move(lrs));
  lacks_rates_ = false;
}

template <typename T>
c10::intrusive_ptr<c10::ivalue::Future> GradientRoute<T>::Push(c10d::GradBucket& bucket) {
  process_.Require();
  if (lacks_rates_)
    throw Error(
        "this method keeps its memory in units of the step: expected SetLrs, or a Round with the step size, "
        "before the first gradient");
  const std::shared_ptr<c10d::Reducer> reducer = reducer_.lock();
  const at::Tensor buffer = bucket.getBuffer();
  if (buffer.is_sparse()) return PushSparse(bucket, reducer.get());
  const auto index = static_cast<uint32_t>(bucket.getIndex());
  std::vector<ReducerView::Misread> misread;
  if (reducer) {
    FollowRebuild(*reducer);
    CheckViews(bucket, *reducer);
    misread = ReducerView(*reducer).misread(index);
  }
  const auto segments = SegmentsOf(bucket);
  const auto staging = std::make_shared<Staging<T>>(buffer, scale_, memory_[index]);
  memory_[index] = staging->memory();
  auto future = FutureFor(buffer);
  const bool last = bucket.isLast();
  Bucket<T> handed{index, *segments, staging->values()};
  handed.fetch = [staging] { staging->Fetch(); };
  Note(handed, buffer.nbytes(), last);
  const Round round = round_;
  if (last) ++round_.step;
  sink_->Push(round, handed, [this, future, buffer, segments, staging, misread](std::exception_ptr failure) {
    NoteResult();
    try {
      if (failure) std::rethrow_exception(failure);
      finished_at_s_ = std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
      ++finished_;
      Complete(*staging, buffer, misread, *future);
    } catch (...) {
      future->setErrorIfNeeded(std::current_exception());
    }
  });
  return future;
}

template <typename T>
c10::intrusive_ptr<c10::ivalue::Future> GradientRoute<T>::PushSparse(c10d::GradBucket& bucket,
                                                                     const c10d::Reducer* reducer) {
  if (!reducer)
    throw Error("the gradient of " + NameOf(bucket.getParameters().at(0)) +
                " is sparse: the hook needs DdpHookOptions::reducer, whose group averages it");
  if (bucket.isLast()) ++round_.step;
  return AverageSparse(bucket.getBuffer(), *ReducerView(*reducer).group());
}

template <typename T>
void GradientRoute<T>::NoteResult() {
  const std::lock_guard lock(mutex_);
  if (--under_way_ > 0 || last_pushed_ == Clock::time_point()) return;
  exposed_s_ = exposed_s_ + std::chrono::duration<double>(Clock::now() - last_pushed_).count();
  last_pushed_ = {};
}

template <typename T>
void GradientRoute<T>::Note(const Bucket<T>& bucket, uint64_t bytes, bool is_last) {
  const std::lock_guard lock(mutex_);
  ++under_way_;
  if (is_last) last_pushed_ = Clock::now();
  Content& content = contents_[bucket.index];
  content.parameters.clear();
  for (const Segment& segment : bucket.segments) content.parameters.push_back(segment.parameter);
  content.bytes += bytes;
  ++content.pushes;
}

template <typename T>
std::map<uint32_t, typename GradientRoute<T>::Content> GradientRoute<T>::contents() const {
  const std::lock_guard lock(mutex_);
  return contents_;
}

template <typename T>
const std::string& GradientRoute<T>::NameOf(const at::Tensor& parameter) const {
  static const std::string kUnknown = "a parameter that is not the exchange's";
  const auto found = ids_.find(parameter.unsafeGetTensorImpl());
  return found == ids_.end() ? kUnknown : names_[found->second];
}

template <typename T>
std::shared_ptr<const std::vector<Segment>> GradientRoute<T>::SegmentsOf(const c10d::GradBucket& bucket) const {
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

template <typename T>
std::unique_ptr<c10d::CommHookInterface> MakeCommHook(std::shared_ptr<GradientRoute<T>> route) {
  return std::make_unique<CommHook<T>>(std::move(route));
}

template class GradientRoute<float>;
template class GradientRoute<double>;
template std::unique_ptr<c10d::CommHookInterface> MakeCommHook(std::shared_ptr<GradientRoute<float>>);
template std::unique_ptr<c10d::CommHookInterface> MakeCommHook(std::shared_ptr<GradientRoute<double>>);

}  // namespace gradwire
