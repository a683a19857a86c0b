// SPDX-License-Identifier: Apache-2.0
#include "gradwire/ddp_intercept.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/graph_task.h>

#include "gradwire/error.h"
#include "gradwire/method.h"

namespace gradwire {
namespace {

/// A Work whose result a future holds: a list of one tensor, as the backends' own futures do.
class FutureWork final : public c10d::Work {
 public:
  FutureWork(c10::intrusive_ptr<c10::ivalue::Future> future, at::Tensor tensor)
      : Work(-1, c10d::OpType::ALLREDUCE), future_(std::move(future)), tensor_(std::move(tensor)) {}

  bool isCompleted() override { return future_->completed(); }
  bool isSuccess() const override { return future_->completed() && !future_->hasError(); }
  std::exception_ptr exception() const override { return future_->exception_ptr(); }
  std::vector<at::Tensor> result() override { return {tensor_}; }
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override { return future_; }
  /// The exchange ends every wait within its own timeout.
  bool wait(std::chrono::milliseconds) override {
    future_->wait();
    if (future_->hasError()) std::rethrow_exception(future_->exception_ptr());
    return true;
  }

 private:
  const c10::intrusive_ptr<c10::ivalue::Future> future_;
  const at::Tensor tensor_;
};

/// All-reduces come in the middle of a backward pass, which is no time to measure.
DdpHookOptions WithoutQuestion(DdpHookOptions options) {
  if (options.comm.when == "pays")
    throw ConfigError(
        "comm.when: found pays, which measures before the gradients of a DistributedDataParallel come; expected auto "
        "or always with intercept: allreduce");
  options.comm.when = "always";
  return options;
}

}  // namespace

AllReduceInterceptor::AllReduceInterceptor(std::function<std::unique_ptr<Collective>()> join, DdpHookOptions options,
                                           int64_t min_numel)
    : join_(std::move(join)), options_(WithoutQuestion(std::move(options))), min_numel_(min_numel) {
  const ExchangeParts parts = MakeParts(options_.comm, options_.seed);
  if (parts.link.iterates)
    throw ConfigError("intercept: allreduce: method " + options_.comm.method +
                      " takes rows and columns, and an all-reduce does not say the shapes of what it sums; expected "
                      "another method, e.g. ef");
  if (parts.steps_inside())
    throw ConfigError(
        "intercept: allreduce: method " + options_.comm.method +
        " has the step size inside, and an all-reduce does not say whose gradients it sums, so that nobody "
        "knows their learning rates; expected another method, e.g. ef");
}

bool AllReduceInterceptor::IsGradient(const std::vector<at::Tensor>& tensors,
                                      const c10d::AllreduceOptions& options) const {
  if (tensors.size() != 1 || torch::autograd::get_current_graph_task_id() < 0) return false;
  const at::Tensor& tensor = tensors[0];
  const bool is_mean_or_sum = options.reduceOp == c10d::ReduceOp::SUM || options.reduceOp == c10d::ReduceOp::AVG;
  return is_mean_or_sum && tensor.is_floating_point() && tensor.dim() == 1 && tensor.is_contiguous() &&
         tensor.numel() >= min_numel_;
}

/// Whether the pass that is under way only records.
bool AllReduceInterceptor::BeginPass() {
  const int pass = torch::autograd::get_current_graph_task_id();
  if (pass == pass_) return hook_ == nullptr;
  pass_ = pass;
  next_ = 0;
  if (hook_ || record_.empty()) return hook_ == nullptr;
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (size_t i = 0; i < record_.size(); ++i) named.emplace_back("all-reduce " + std::to_string(i), record_[i].key);
  hook_ = MakeDdpHook(named, join_(), options_);
  return false;
}

void AllReduceInterceptor::Record(const at::Tensor& tensor) {
  const at::Tensor key = at::empty({1}, at::TensorOptions(tensor.scalar_type())).expand({tensor.numel()});
  record_.push_back({tensor.numel(), tensor.scalar_type(), key});
}

c10::intrusive_ptr<c10d::Work> AllReduceInterceptor::Take(std::vector<at::Tensor>& tensors,
                                                          const c10d::AllreduceOptions& options) {
  if (!IsGradient(tensors, options)) return nullptr;
  const std::lock_guard lock(mutex_);
  const at::Tensor tensor = tensors[0];
  if (BeginPass()) {
    Record(tensor);
    return nullptr;
  }
  const size_t place = next_++;
  const bool is_known =
      place < record_.size() && record_[place].numel == tensor.numel() && record_[place].type == tensor.scalar_type();
  if (!is_known) {
    if (!has_warned_)
      TORCH_WARN("gradwire: all-reduce ", place, " of this backward pass (", tensor.numel(),
                 " elements) is not what the first pass had there; it and others like it stay exact");
    has_warned_ = true;
    return nullptr;
  }
  const std::vector<int64_t> sizes = {tensor.numel()};
  const auto numel = static_cast<size_t>(tensor.numel());
  c10d::GradBucket bucket(place, record_.size(), tensor, {0}, {numel}, {sizes}, {record_[place].key}, std::nullopt);
  const bool sum = options.reduceOp == c10d::ReduceOp::SUM;
  const int size = hook_->world_size();
  auto future = hook_->Push(bucket)->then(
      [tensor, sum, size](c10::ivalue::Future& mean) {
        mean.value();  // throws what stopped the exchange
        const at::NoGradGuard no_grad;
        if (sum) tensor.mul_(size);
        return c10::IValue(std::vector<at::Tensor>{tensor});
      },
      c10::ListType::create(c10::TensorType::get()));
  return c10::make_intrusive<FutureWork>(std::move(future), tensor);
}

std::map<uint32_t, BucketTotals> AllReduceInterceptor::Totals() {
  const std::lock_guard lock(mutex_);
  return hook_ ? hook_->Totals() : std::map<uint32_t, BucketTotals>{};
}

void AllReduceInterceptor::Close() {
  const std::lock_guard lock(mutex_);
  if (hook_) hook_->Close();
}

}  // namespace gradwire
