// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <torch/csrc/distributed/c10d/Types.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

namespace gradwire {

/// Whether this is a mean that Gloo does not take: of integers on the cpu. Throws TypeError for truth values, as NCCL.
bool IsIntegerMean(const c10d::ReduceOp& op, const std::vector<at::Tensor>& inputs);

/// When `sum` is done, `sums` become the mean of `ranks`, as NCCL has it: the sum, which wraps in its own type, divided
/// towards zero. The answer is done after that.
c10::intrusive_ptr<c10d::Work> DividedWork(const c10::intrusive_ptr<c10d::Work>& sum, std::vector<at::Tensor> sums,
                                           int ranks);

}  // namespace gradwire
