// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <torch/csrc/distributed/c10d/Types.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

namespace gradwire {

/// Whether this is a mean that Gloo does not take: of integers on the cpu. Throws TypeError for truth values, as NCCL.
bool IsIntegerMean(const c10d::ReduceOp& op, const std::vector<at::Tensor>& inputs);

/// When `sum` is done, `sums` become the means over `ranks`, as NCCL has them: the sum, which wraps in its own type,
/// divided towards zero. Whoever waits for the answer, asks whether it is completed, or has its future, finds the mean.
c10::intrusive_ptr<c10d::Work> MeanOf(c10::intrusive_ptr<c10d::Work> sum, std::vector<at::Tensor> sums, int ranks);

}  // namespace gradwire
