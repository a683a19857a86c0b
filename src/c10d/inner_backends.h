// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <c10/core/DeviceType.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "gradwire/error.h"

namespace gradwire {

/// The inner backends of a forwarding one, and the choice among them that gradwire/c10d_backend.h describes. `call`
/// is the caller's name, for the error.
class InnerBackends {
 public:
  using Ptr = c10::intrusive_ptr<c10d::Backend>;

  /// Throws ConfigError, see MakeForwardingBackend.
  explicit InnerBackends(const std::vector<std::pair<c10::DeviceType, Ptr>>& served);

  /// Each backend once, though it may serve several types of device.
  const std::vector<Ptr>& all() const { return all_; }

  c10d::Backend& main() const { return *main_; }
  bool single() const { return all_.size() == 1; }

  /// For calls that cannot say which one they mean.
  c10d::Backend& Single(const char* call = __builtin_FUNCTION()) const;

  c10d::Backend& For(c10::DeviceType type, const char* call = __builtin_FUNCTION()) const;

  /// A call without a tensor is an error of the caller's, which the main one words better.
  c10d::Backend& For(const at::Tensor& tensor, const char* call = __builtin_FUNCTION()) const {
    return tensor.defined() ? For(tensor.device().type(), call) : main();
  }
  c10d::Backend& For(const std::vector<at::Tensor>& tensors, const char* call = __builtin_FUNCTION()) const {
    return tensors.empty() ? main() : For(tensors[0], call);
  }

  /// The cpu's, or the main one where nobody serves the cpu.
  c10d::Backend& ForCpuOrMain() const;

  /// A process group drops `options.device` on its way. So this is the choice that Python's barrier makes: the options'
  /// device or device ids, the device that the group is bound to, the cpu.
  c10d::Backend& ForBarrier(const c10d::BarrierOptions& options, std::optional<at::Device> bound,
                            const char* call = __builtin_FUNCTION()) const;

  /// Calls all of them, whatever one throws; then throws the first error.
  template <typename Call>
  void ForEach(Call call) const {
    std::exception_ptr error;
    for (const Ptr& backend : all_) {
      try {
        call(*backend);
      } catch (...) {
        if (!error) error = std::current_exception();
      }
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  c10d::Backend* Find(c10::DeviceType type) const;
  std::string Served() const;

  std::vector<std::pair<c10::DeviceType, Ptr>> served_;
  std::vector<Ptr> all_;
  Ptr main_;
};

}  // namespace gradwire
