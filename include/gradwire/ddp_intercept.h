// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "gradwire/ddp_hook.h"

namespace gradwire {

/// Compresses the all-reduces of gradients that somebody else's reducer makes, for MakeForwardingBackend's `take`.
///
/// An all-reduce is taken where it is of one tensor on its own, 1-D, contiguous and floating, with at least `min_numel`
/// elements, by SUM or AVG, and called inside a backward pass. The first backward pass only records their order and
/// sizes, and stays exact: a gradient has no name here, so its memory is that of the i-th all-reduce of a pass. From
/// the second pass on they are exchanged; one that differs from the record passes exact, and says so once. Nor does an
/// element have a name: memory goes by its position, so that a reducer must keep its order of elements. All ranks
/// must make the same ones in the same order, as for any collective. Thread-safe.
class AllReduceInterceptor {
 public:
  /// `join`: makes this rank's collective, of its own; all ranks call it alike, in the second pass.
  AllReduceInterceptor(std::function<std::unique_ptr<Collective>()> join, DdpHookOptions options, int64_t min_numel);

  /// The Work, whose result is in the tensor itself; null where the all-reduce is to pass.
  c10::intrusive_ptr<c10d::Work> Take(std::vector<at::Tensor>& tensors, const c10d::AllreduceOptions& options);

  /// Totals by the place of the all-reduce in a pass; empty before the second pass.
  std::map<uint32_t, BucketTotals> Totals();

  void Close();

 private:
  struct Recorded {
    int64_t numel;
    at::ScalarType type;
    at::Tensor key;  // stands for the parameter: as many elements, no memory
  };

  bool IsGradient(const std::vector<at::Tensor>& tensors, const c10d::AllreduceOptions& options) const;
  bool BeginPass();
  void Record(const at::Tensor& tensor);

  const std::function<std::unique_ptr<Collective>()> join_;
  const DdpHookOptions options_;
  const int64_t min_numel_;
  std::mutex mutex_;
  std::vector<Recorded> record_;
  std::shared_ptr<DdpHook> hook_;  // from the second pass on
  int pass_ = -1;                  // autograd's id of the backward pass that record_ or next_ belong to
  size_t next_ = 0;                // place in the pass
  bool has_warned_ = false;
};

}  // namespace gradwire
