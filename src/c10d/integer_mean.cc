// SPDX-License-Identifier: Apache-2.0
#include "c10d/integer_mean.h"

#include <algorithm>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/div.h>

#include "c10d/future_work.h"

namespace gradwire {

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

c10::intrusive_ptr<c10d::Work> DividedWork(const c10::intrusive_ptr<c10d::Work>& sum, std::vector<at::Tensor> sums,
                                           int ranks) {
  const auto summed = sum->getFuture();
  auto future = summed->then(
      [sums, ranks](c10::ivalue::Future& done) {
        const c10::IValue value = done.value();  // throws what stopped the sum
        const at::NoGradGuard no_grad;
        for (const at::Tensor& tensor : sums)  // in 64 bits, since the number of ranks may be none of a smaller type's
          tensor.copy_(at::div(tensor.to(at::kLong), ranks, "trunc"));
        return value;
      },
      summed->elementType());
  return c10::make_intrusive<FutureWork>(c10d::OpType::ALLREDUCE, std::move(future), std::move(sums), sum);
}

}  // namespace gradwire
