// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "c10d/coalescing.h"
#include "c10d/torch_compat.h"

namespace gradwire {

/// The virtual functions of a backend that are about itself. Those that move tensors are in forwarding_backend.cc.
///
/// Not overridden, so that torch's base class refuses them: split, merge, shrink, supportsShrinking. They return a
/// child of the inner backend, which no longer is a "gradwire" one, and how a child is made differs by backend.
class ForwardingControl : public c10d::Backend {
 public:
  explicit ForwardingControl(InnerBackends inner)
      : Backend(inner.main().getRank(), inner.main().getSize()), inner_(std::move(inner)) {}

  const std::string getBackendName() const override { return "gradwire"; }
  c10::intrusive_ptr<Options> getBackendOptions() override { return inner_.main().getBackendOptions(); }

  // Where true, and the process group has a bound device, torch passes this object to the creator of the next group to
  // split from, and expects a class of torch's own there.
  bool supportsSplitting() const override { return false; }

  void setTimeout(std::chrono::milliseconds timeout) override {
    inner_.ForEach([&](Backend& backend) { backend.setTimeout(timeout); });
  }
  void setGroupUid(const std::string& uid) override {
    Backend::setGroupUid(uid);  // its reader is not virtual
    inner_.ForEach([&](Backend& backend) { backend.setGroupUid(uid); });
  }
  void setSequenceNumberForGroup() override {
    inner_.ForEach([](Backend& backend) { backend.setSequenceNumberForGroup(); });
  }
  uint64_t getSequenceNumberForGroup() override {
    uint64_t sum = 0;  // grows with every collective operation, whichever device it is for
    for (const auto& backend : inner_.all()) sum += backend->getSequenceNumberForGroup();
    return sum;
  }
  c10d::ErrorType getError() override {
    for (const auto& backend : inner_.all())
      if (const auto error = backend->getError(); error != c10d::ErrorType::SUCCESS) return error;
    return c10d::ErrorType::SUCCESS;
  }
  void abort() override {
    inner_.ForEach([](Backend& backend) { backend.abort(); });
  }
  void shutdown() override {
    inner_.ForEach([](Backend& backend) { backend.shutdown(); });
  }
  void enableCollectivesTiming() override {
    inner_.ForEach([](Backend& backend) { backend.enableCollectivesTiming(); });
  }
  void eagerConnectSingleDevice(at::Device device) override {
    inner_.For(device.type()).eagerConnectSingleDevice(device);
  }

  bool supportsCoalescing() const override { return Coalescing::Supported(inner_); }
  void startCoalescing() override { coalescing_.Start(inner_); }
  c10::intrusive_ptr<c10d::Work> endCoalescing() override { return coalescing_.End(inner_); }

  void registerOnCompletionHook(std::function<void(std::shared_ptr<c10d::WorkInfo>)>&& hook) override {
    inner_.main().registerOnCompletionHook(std::move(hook));
    onCompletionHook_ = [](const std::shared_ptr<c10d::WorkInfo>&) {};  // hasHooks(), not virtual, asks for one here
  }
  void waitForPendingWorks() override { inner_.main().waitForPendingWorks(); }

  std::shared_ptr<c10::Allocator> getMemAllocator() override { return inner_.main().getMemAllocator(); }
  at::Tensor allocateTensor(long size, at::TensorOptions options) override {
    Backend& backend = options.has_device() ? inner_.For(options.device().type()) : inner_.main();
    return backend.allocateTensor(size, options);
  }
  bool supportsTensorAlloc(c10::DeviceIndex index) override {
    for (const auto& backend : inner_.all())
      if (!backend->supportsTensorAlloc(index)) return false;
    return true;
  }

#ifdef GRADWIRE_BACKEND_2_12
  void suspend() override { inner_.main().suspend(); }
  void resume() override { inner_.main().resume(); }
  std::unordered_map<std::string, uint64_t> getMemoryStats() override { return inner_.main().getMemoryStats(); }
#endif

#ifdef GRADWIRE_BACKEND_2_14
  void addEphemeralTimeout(const std::chrono::milliseconds& timeout) override {
    inner_.ForEach([&](Backend& backend) { backend.addEphemeralTimeout(timeout); });
  }
  std::optional<at::Device> getBoundDeviceId() const override { return inner_.main().getBoundDeviceId(); }
  void setBoundDeviceId(std::optional<at::Device> device) override {
    Backend::setBoundDeviceId(device);  // for barrier
    inner_.ForEach([&](Backend& backend) { backend.setBoundDeviceId(device); });
  }
#endif

#ifdef GRADWIRE_BACKEND_2_15
  bool isInitialized() override {
    for (const auto& backend : inner_.all())
      if (!backend->isInitialized()) return false;
    return true;
  }

  // Before 2.15 torch asks NCCL's class for the estimate, by functions that are not a Backend's: false is the answer.
  bool supportsTimeEstimation() const override { return inner_.single() && inner_.main().supportsTimeEstimation(); }
  void startTimeEstimate() override { inner_.Single().startTimeEstimate(); }
  float endTimeEstimate() override { return inner_.Single().endTimeEstimate(); }

  bool supportsAbortHooks() const override { return inner_.main().supportsAbortHooks(); }
  bool supportsCompletionHooks() const override { return inner_.main().supportsCompletionHooks(); }
  void registerCompletionHook(int64_t id, c10d::CompletionHook hook) override {
    inner_.main().registerCompletionHook(id, std::move(hook));
  }
  void unregisterCompletionHook(int64_t id) override { inner_.main().unregisterCompletionHook(id); }
#endif

#ifdef C10D_BACKEND_HAS_HOOKS
  void registerAbortHook(int64_t id, c10d::AbortHook hook) override {
    inner_.main().registerAbortHook(id, std::move(hook));
  }
  void unregisterAbortHook(int64_t id) override { inner_.main().unregisterAbortHook(id); }
#endif

#ifdef C10D_BACKEND_HAS_RECONFIGURE
  bool supportsReconfigure() const override { return inner_.single() && inner_.main().supportsReconfigure(); }
  c10d::ReconfigureHandle get_reconfigure_handle() const override { return inner_.Single().get_reconfigure_handle(); }
  c10::intrusive_ptr<c10d::Work> reconfigure(const c10d::ReconfigureOptions& options) override {
    auto work = inner_.Single().reconfigure(options);
    rank_ = inner_.main().getRank();
    size_ = inner_.main().getSize();
    return work;
  }
#endif

#ifdef C10D_BACKEND_HAS_WINDOW
  bool supportsWindow() const override { return inner_.main().supportsWindow(); }
  c10::intrusive_ptr<c10d::Window> new_window(const std::optional<at::Tensor>& tensor) override {
    return (tensor ? inner_.For(*tensor) : inner_.main()).new_window(tensor);
  }
#endif

 protected:
  InnerBackends inner_;
  Coalescing coalescing_;
};

}  // namespace gradwire
