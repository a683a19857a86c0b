// SPDX-License-Identifier: Apache-2.0
#include "hooks/staging.h"

#include <string>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

template <typename T>
constexpr at::ScalarType kType = std::is_same_v<T, float> ? at::kFloat : at::kDouble;

void CheckBuffer(const at::Tensor& bucket) {
  if (!bucket.is_floating_point() || !bucket.is_contiguous() || bucket.is_sparse())
    throw Error(
        "gradient bucket of " + std::string(c10::toString(bucket.scalar_type())) + " on " + bucket.device().str() +
        ": expected contiguous dense float32, float64, float16 or bfloat16. Leave sparse or complex "
        "gradients out of DDP's exchange (DistributedDataParallel._set_params_and_buffers_to_ignore_for_model)");
}

}  // namespace

template <typename T>
Staging<T>::Staging(at::Tensor bucket, double scale, at::Tensor memory) : bucket_(std::move(bucket)), scale_(scale) {
  CheckBuffer(bucket_);
  const at::NoGradGuard no_grad;
  if (bucket_.is_cpu() && bucket_.scalar_type() == kType<T>) {
    memory_ = bucket_;
    return;
  }
  const bool fits = memory.defined() && memory.numel() == bucket_.numel() && !memory.is_same(bucket_);
  memory_ = fits ? std::move(memory)
                 : at::empty(bucket_.sizes(), at::TensorOptions(kType<T>).pinned_memory(!bucket_.is_cpu()));
  if (bucket_.is_cpu()) return;  // Fetch copies, beside the backward pass
  memory_.copy_(bucket_.to(kType<T>), /*non_blocking=*/true);
  copied_.emplace(bucket_.device().type());
  copied_->record(c10::impl::VirtualGuardImpl(bucket_.device().type()).getStream(bucket_.device()));
}

template <typename T>
std::span<T> Staging<T>::values() const {
  return {memory_.mutable_data_ptr<T>(), static_cast<size_t>(memory_.numel())};
}

template <typename T>
void Staging<T>::Fetch() {
  const at::NoGradGuard no_grad;
  if (copied_)
    copied_->synchronize();
  else if (!is_direct())
    memory_.copy_(bucket_);
  if (scale_ != 1) memory_.mul_(1 / scale_);  // exact: scales are powers of two
}

template <typename T>
void Staging<T>::Return() {
  const at::NoGradGuard no_grad;
  if (scale_ != 1) memory_.mul_(scale_);
  if (is_direct()) return;
  if (bucket_.is_cpu() || bucket_.scalar_type() == kType<T>)
    bucket_.copy_(memory_, /*non_blocking=*/true);
  else  // converted on the device: a copy that has to convert as well goes by pageable memory, and waits
    bucket_.copy_(memory_.to(bucket_.device(), kType<T>, /*non_blocking=*/true));
}

template class Staging<float>;
template class Staging<double>;

}  // namespace gradwire
