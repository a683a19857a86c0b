// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/Work.hpp>

namespace gradwire {

/// A Work whose result a future holds: a list of tensors, as the backends' own futures do.
class FutureWork final : public c10d::Work {
 public:
  /// `before`: the Work that the future follows; its wait has the caller's timeout. Null: the future's own wait ends.
  FutureWork(c10d::OpType type, c10::intrusive_ptr<c10::ivalue::Future> future, std::vector<at::Tensor> tensors,
             c10::intrusive_ptr<c10d::Work> before = {})
      : Work(-1, type), future_(std::move(future)), tensors_(std::move(tensors)), before_(std::move(before)) {}

  bool isCompleted() override { return future_->completed(); }
  bool isSuccess() const override { return future_->completed() && !future_->hasError(); }
  std::exception_ptr exception() const override { return future_->exception_ptr(); }
  std::vector<at::Tensor> result() override { return tensors_; }
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override { return future_; }
  bool wait(std::chrono::milliseconds timeout) override {
    if (before_ && !before_->wait(timeout)) return false;
    future_->wait();
    if (future_->hasError()) std::rethrow_exception(future_->exception_ptr());
    return true;
  }

 private:
  const c10::intrusive_ptr<c10::ivalue::Future> future_;
  const std::vector<at::Tensor> tensors_;
  const c10::intrusive_ptr<c10d::Work> before_;
};

}  // namespace gradwire
