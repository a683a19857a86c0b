// SPDX-License-Identifier: Apache-2.0
#include "hooks/reducer_view.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

namespace gradwire {
namespace {

/// Members that a Reducer shares with classes derived from it: they name them, and nothing is derived in truth.
struct Members : c10d::Reducer {
  static const auto& Parameters(const Reducer& r) { return r.*&Members::params_; }
  static const auto& Sparse(const Reducer& r) { return r.*&Members::expect_sparse_gradients_; }
  static const auto& Group(const Reducer& r) { return r.*&Members::process_group_; }
  static bool AreViews(const Reducer& r) { return r.*&Members::gradient_as_bucket_view_; }
  static bool HasRebuilt(const Reducer& r) { return r.*&Members::has_rebuilt_bucket_; }
  static const auto& Buckets(const Reducer& r) { return r.*&Members::buckets_; }
  static auto Forwards(const Reducer& r) { return r.*&Members::num_iterations_; }
  static auto Backwards(const Reducer& r) { return r.*&Members::num_bwd_calls_; }
};

}  // namespace

const std::vector<at::Tensor>& ReducerView::parameters() const { return Members::Parameters(reducer_); }
const std::vector<bool>& ReducerView::sparse() const { return Members::Sparse(reducer_); }
const c10::intrusive_ptr<c10d::ProcessGroup>& ReducerView::group() const { return Members::Group(reducer_); }
bool ReducerView::gradients_are_views() const { return Members::AreViews(reducer_); }
bool ReducerView::has_rebuilt() const { return Members::HasRebuilt(reducer_); }

/// Forwards outside of no_sync, of which some may have had no backward; and backwards, of which the first may have been
/// under no_sync.
uint64_t ReducerView::reduced() const {
  return static_cast<uint64_t>(std::min(Members::Forwards(reducer_), Members::Backwards(reducer_)));
}

std::vector<uint64_t> ReducerView::dense_bytes() const {
  std::vector<uint64_t> bytes;
  for (const auto& bucket : Members::Buckets(reducer_))
    bytes.push_back(bucket.expect_sparse_gradient ? 0 : bucket.gradients.nbytes());
  return bytes;
}

std::optional<size_t> ReducerView::detached(size_t index) const {
  if (!gradients_are_views()) return std::nullopt;
  const auto& bucket = Members::Buckets(reducer_).at(index);
  for (size_t i = 0; i < bucket.bucket_views_in.size(); ++i)
    if (!bucket.bucket_views_in[i].is_alias_of(bucket.gradients)) return i;
  return std::nullopt;
}

std::vector<ReducerView::Misread> ReducerView::misread(size_t index) const {
  std::vector<Misread> all;
  if (gradients_are_views()) return all;  // then the gradients are the views themselves
  const auto& bucket = Members::Buckets(reducer_).at(index);
  for (size_t i = 0; i < bucket.bucket_views_in.size(); ++i) {
    const at::Tensor &view = bucket.bucket_views_in[i], &parameter = bucket.variables[i];
    if (view.strides() == parameter.strides()) continue;
    const auto rows = c10::contiguous_strides(parameter.sizes());
    const bool is_dense = parameter.is_non_overlapping_and_dense();
    const std::vector<int64_t> read =
        is_dense ? parameter.strides().vec() : std::vector<int64_t>(rows.begin(), rows.end());
    if (OrderOf(view.sizes(), view.strides()) == OrderOf(view.sizes(), read)) continue;
    all.push_back({static_cast<int64_t>(bucket.offsets[i]), view.sizes().vec(), view.strides().vec(), read});
  }
  return all;
}

void ReducerView::Misread::Mend(const at::Tensor& bucket) const {
  const at::Tensor values = bucket.as_strided(sizes, written, bucket.storage_offset() + offset).clone();
  bucket.as_strided(sizes, read, bucket.storage_offset() + offset).copy_(values);
}

std::unordered_map<const void*, ElementOrder> ReducerView::orders() const {
  std::unordered_map<const void*, ElementOrder> orders;
  for (const auto& bucket : Members::Buckets(reducer_)) {
    if (bucket.expect_sparse_gradient) continue;
    for (size_t i = 0; i < bucket.bucket_views_in.size(); ++i) {
      const at::Tensor& view = bucket.bucket_views_in[i];
      orders[bucket.variables[i].unsafeGetTensorImpl()] = OrderOf(view.sizes(), view.strides());
    }
  }
  return orders;
}

std::vector<Parameter> DescribeParameters(const NamedTensors& named, const c10d::Reducer* reducer) {
  std::unordered_map<const void*, ElementOrder> orders;
  if (reducer) orders = ReducerView(*reducer).orders();
  std::vector<Parameter> parameters;
  for (const auto& [name, tensor] : named) {
    const auto found = orders.find(tensor.unsafeGetTensorImpl());
    const bool is_dense = tensor.is_non_overlapping_and_dense();
    ElementOrder order = is_dense ? OrderOf(tensor.sizes(), tensor.strides()) : ElementOrder{};
    parameters.push_back({name, tensor.sizes().vec(), found == orders.end() ? order : found->second});
  }
  return parameters;
}

c10::intrusive_ptr<c10::ivalue::Future> AverageSparse(const at::Tensor& gradient, c10d::ProcessGroup& group) {
  const at::NoGradGuard no_grad;
  at::Tensor mean = gradient;
  std::vector<at::Tensor> tensors{mean.div_(group.getSize())};  // before the sum, as DDP does
  return group.allreduce(tensors)->getFuture()->then(
      [mean](c10::ivalue::Future& sum) {
        sum.value();  // throws what stopped it
        return c10::IValue(mean);
      },
      c10::TensorType::get());
}

}  // namespace gradwire
