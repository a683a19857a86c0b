// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "gradwire/parameter.h"

namespace gradwire {

/// What a Reducer knows of its buckets and does not tell its hook. For the thread that runs the hook, or between two
/// steps. The Reducer must outlive it.
class ReducerView {
 public:
  explicit ReducerView(const c10d::Reducer& reducer) : reducer_(reducer) {}

  /// What it was made with, whether or not they require a gradient now.
  const std::vector<at::Tensor>& parameters() const;
  /// Whether the gradient of each of them is sparse; empty: of none.
  const std::vector<bool>& sparse() const;
  const c10::intrusive_ptr<c10d::ProcessGroup>& group() const;
  bool gradients_are_views() const;
  /// It makes its buckets anew once, on all ranks before the same forward.
  bool has_rebuilt() const;

  /// Backward passes whose gradients it has reduced: a forward alone and a pass under no_sync count for nothing.
  uint64_t reduced() const;
  /// Bytes of the gradients of each bucket; 0 for one with a sparse gradient.
  std::vector<uint64_t> dense_bytes() const;

  /// The order of the elements in the buckets, by the parameters' TensorImpl.
  std::unordered_map<const void*, ElementOrder> orders() const;

  /// Where gradients are views: the first one of the bucket that lies in it no more.
  std::optional<size_t> detached(size_t bucket) const;

  /// A gradient in a bucket whose result the Reducer will read with other strides than it wrote it: it reads with those
  /// that the parameter has now (torch 2.11 to 2.15; without a hook the gradient is then wrong).
  struct Misread {
    int64_t offset;
    std::vector<int64_t> sizes, written, read;
    /// Rearranges its elements in a tensor like the bucket.
    void Mend(const at::Tensor& bucket) const;
  };
  /// The misread gradients of a bucket.
  std::vector<Misread> misread(size_t bucket) const;

 private:
  const c10d::Reducer& reducer_;
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// The parameters as an exchange takes them. `reducer`, which may be null: gradients lie in the order of its buckets,
/// else in that of their parameters' memory.
std::vector<Parameter> DescribeParameters(const NamedTensors& named, const c10d::Reducer* reducer);

/// The mean of a sparse gradient over the ranks, in place, by the group's all-reduce: what DDP does without a hook. The
/// future holds it.
c10::intrusive_ptr<c10::ivalue::Future> AverageSparse(const at::Tensor& gradient, c10d::ProcessGroup& group);

}  // namespace gradwire
