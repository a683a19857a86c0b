// SPDX-License-Identifier: Apache-2.0
#include "c10d/integer_mean.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/div.h>

namespace gradwire {
namespace {

/// Sums that become means once, by whoever first sees them complete.
class Quotients {
 public:
  Quotients(std::vector<at::Tensor> sums, int divisor) : sums_(std::move(sums)), divisor_(divisor) {}

  void Divide() {
    const std::lock_guard lock(mutex_);
    const at::NoGradGuard no_grad;
    // In 64 bits, since the number of ranks may be none of a smaller type's.
    for (const at::Tensor& sum : sums_) sum.copy_(at::div(sum.to(at::kLong), divisor_, "trunc"));
    sums_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<at::Tensor> sums_;  // those still to be divided; guarded by mutex_
  const int divisor_;
};

/// Not every Work of Gloo's has a future (reduce_scatter's has none), and not everyone waits where it has one.
class MeanWork final : public c10d::Work {
 public:
  MeanWork(c10::intrusive_ptr<c10d::Work> sum, std::shared_ptr<Quotients> quotients)
      : Work(-1, sum->retrieveOpType()), sum_(std::move(sum)), quotients_(std::move(quotients)) {}

  bool isCompleted() override {
    if (!sum_->isCompleted()) return false;
    if (sum_->isSuccess()) quotients_->Divide();
    return true;
  }
  bool isSuccess() const override { return sum_->isSuccess(); }
  std::exception_ptr exception() const override { return sum_->exception(); }
  std::vector<at::Tensor> result() override { return sum_->result(); }
  bool wait(std::chrono::milliseconds timeout) override {
    if (!sum_->wait(timeout)) return false;
    quotients_->Divide();
    return true;
  }
  void synchronize() override {
    sum_->synchronize();
    quotients_->Divide();
  }
  void abort() override { sum_->abort(); }
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override {
    const auto summed = sum_->getFuture();
    const auto divide = [quotients = quotients_](c10::ivalue::Future& done) {
      const c10::IValue value = done.value();  // throws what stopped the sum
      quotients->Divide();
      return value;
    };
    return summed->then(divide, summed->elementType());
  }

 private:
  const c10::intrusive_ptr<c10d::Work> sum_;
  const std::shared_ptr<Quotients> quotients_;
};

}  // namespace

bool IsIntegerMean(const c10d::ReduceOp& op, const std::vector<at::Tensor>& inputs) {
  const auto is_one = [](const at::Tensor& tensor) {
    return tensor.defined() && tensor.is_cpu() && at::isIntegralType(tensor.scalar_type(), /*includeBool=*/true);
  };
  if (op != c10d::ReduceOp::AVG || !std::ranges::any_of(inputs, is_one)) return false;
  for (const at::Tensor& tensor : inputs)
    if (tensor.scalar_type() == at::kBool)
      C10_THROW_ERROR(
          TypeError,
          "gradwire's backend: ReduceOp.AVG of bool tensors: truth values have no mean; expected SUM, MAX or "
          "MIN, or tensors of numbers");
  return true;
}

c10::intrusive_ptr<c10d::Work> MeanOf(c10::intrusive_ptr<c10d::Work> sum, std::vector<at::Tensor> sums, int ranks) {
  return c10::make_intrusive<MeanWork>(std::move(sum), std::make_shared<Quotients>(std::move(sums), ranks));
}

}  // namespace gradwire
