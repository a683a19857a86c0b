// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gradwire/c10d_backend.h"
#include "src/c10d/torch_compat.h"

namespace gradwire::testing {

using Work = c10::intrusive_ptr<c10d::Work>;
using BackendPtr = c10::intrusive_ptr<c10d::Backend>;
using OptionsPtr = c10::intrusive_ptr<c10d::Backend::Options>;
using StorePtr = c10::intrusive_ptr<c10d::Store>;
using Tensors = std::vector<at::Tensor>;
using TensorLists = std::vector<Tensors>;
using Sizes = std::vector<int64_t>;
using MemoryStats = std::unordered_map<std::string, uint64_t>;

/// A callback that can be told from others.
struct MarkedHook {
  int id = 0;
  template <typename... Args>
  void operator()(Args&&...) const {}
};

/// What a call passed, as text. Objects passed by reference are told by their address: it must be the caller's own.
template <typename T>
std::string Passed(const T& object) {
  return c10::str("at ", static_cast<const void*>(&object));
}
inline std::string Passed(int value) { return std::to_string(value); }
inline std::string Passed(int64_t value) { return std::to_string(value); }
inline std::string Passed(bool value) { return value ? "true" : "false"; }
inline std::string Passed(c10::DeviceIndex value) { return std::to_string(value); }
inline std::string Passed(std::chrono::milliseconds time) { return std::to_string(time.count()) + " ms"; }
inline std::string Passed(at::Device device) { return device.str(); }
inline std::string Passed(const std::optional<at::Device>& device) { return device ? device->str() : "no device"; }
inline std::string Passed(const at::TensorOptions& options) { return c10::str(options); }
template <typename... Args>
std::string Passed(const std::function<void(Args...)>& hook) {
  const auto* marked = hook.template target<MarkedHook>();
  return marked ? "hook " + std::to_string(marked->id) : "another hook";
}

/// A backend that overrides every virtual function of c10d::Backend, notes its name and arguments, and answers what no
/// other one would.
class RecordingBackend : public c10d::Backend {
 public:
  explicit RecordingBackend(std::string name, int rank = 1, int size = 3)
      : Backend(rank, size), name_(std::move(name)) {}

  bool yes = true;                                   ///< the answer to questions of yes or no
  uint64_t sequence = 7;                             ///< the answer of getSequenceNumberForGroup
  c10d::ErrorType error = c10d::ErrorType::SUCCESS;  ///< the answer of getError
  Work work = c10::make_intrusive<c10d::Work>();     ///< of every operation
  std::string fails;                                 ///< the function that throws
  mutable std::vector<std::string> calls;            ///< "name(arguments)"

  const std::string getBackendName() const override { return name_; }

// The names of the parameters are given once more behind them, to be noted.
#define GRADWIRE_RECORD(Return, name, parameters, ...) \
  Return name parameters override { return Note<Return>(#name __VA_OPT__(, ) __VA_ARGS__); }

  GRADWIRE_RECORD(bool, supportsSplitting, () const)
  GRADWIRE_RECORD(bool, supportsCoalescing, () const)
  GRADWIRE_RECORD(bool, supportsTimeEstimation, () const)
  GRADWIRE_RECORD(bool, supportsShrinking, () const)
  GRADWIRE_RECORD(BackendPtr, shrink, (const Sizes& ranks, int flags, const OptionsPtr& options), ranks, flags, options)
  GRADWIRE_RECORD(BackendPtr, split, (const StorePtr& store, const std::vector<int>& ranks, const OptionsPtr& options),
                  store, ranks, options)
  GRADWIRE_RECORD(BackendPtr, merge,
                  (const StorePtr& store, const OptionsPtr& options, const int& rank, const int& size), store, options,
                  rank, size)
  GRADWIRE_RECORD(OptionsPtr, getBackendOptions, ())
  GRADWIRE_RECORD(void, setTimeout, (std::chrono::milliseconds time), time)
  GRADWIRE_RECORD(void, startCoalescing, ())
  GRADWIRE_RECORD(Work, endCoalescing, ())
  GRADWIRE_RECORD(void, setSequenceNumberForGroup, ())
  GRADWIRE_RECORD(uint64_t, getSequenceNumberForGroup, ())
  GRADWIRE_RECORD(void, registerOnCompletionHook, (std::function<void(std::shared_ptr<c10d::WorkInfo>)> && hook), hook)
  GRADWIRE_RECORD(void, waitForPendingWorks, ())
  GRADWIRE_RECORD(void, enableCollectivesTiming, ())
  GRADWIRE_RECORD(void, setGroupUid, (const std::string& uid), uid)
  GRADWIRE_RECORD(void, eagerConnectSingleDevice, (at::Device device), device)
  GRADWIRE_RECORD(c10d::ErrorType, getError, ())
  GRADWIRE_RECORD(std::shared_ptr<c10::Allocator>, getMemAllocator, ())
  GRADWIRE_RECORD(at::Tensor, allocateTensor, (long size, at::TensorOptions options), size, options)
  GRADWIRE_RECORD(bool, supportsTensorAlloc, (c10::DeviceIndex index), index)
  GRADWIRE_RECORD(void, abort, ())
  GRADWIRE_RECORD(void, shutdown, ())

  GRADWIRE_RECORD(Work, broadcast, (Tensors & t, const c10d::BroadcastOptions& o), t, o)
  GRADWIRE_RECORD(Work, allreduce, (Tensors & t, const c10d::AllreduceOptions& o), t, o)
  GRADWIRE_RECORD(Work, allreduce_sparse, (Tensors & t, const c10d::AllreduceOptions& o), t, o)
  GRADWIRE_RECORD(Work, allreduce_coalesced, (Tensors & t, const c10d::AllreduceCoalescedOptions& o), t, o)
  GRADWIRE_RECORD(Work, reduce, (Tensors & t, const c10d::ReduceOptions& o), t, o)
  GRADWIRE_RECORD(Work, allgather, (TensorLists & out, Tensors& in, const c10d::AllgatherOptions& o), out, in, o)
  GRADWIRE_RECORD(Work, allgather_coalesced, (TensorLists & out, Tensors& in, const c10d::AllgatherOptions& o), out, in,
                  o)
  GRADWIRE_RECORD(Work, _allgather_base, (at::Tensor & out, at::Tensor& in, const c10d::AllgatherOptions& o), out, in,
                  o)
  GRADWIRE_RECORD(Work, allgather_into_tensor_coalesced, (Tensors & out, Tensors& in, const c10d::AllgatherOptions& o),
                  out, in, o)
  GRADWIRE_RECORD(Work, gather, (TensorLists & out, Tensors& in, const c10d::GatherOptions& o), out, in, o)
  GRADWIRE_RECORD(Work, scatter, (Tensors & out, TensorLists& in, const c10d::ScatterOptions& o), out, in, o)
  GRADWIRE_RECORD(Work, reduce_scatter, (Tensors & out, TensorLists& in, const c10d::ReduceScatterOptions& o), out, in,
                  o)
  GRADWIRE_RECORD(Work, _reduce_scatter_base, (at::Tensor & out, at::Tensor& in, const c10d::ReduceScatterOptions& o),
                  out, in, o)
  GRADWIRE_RECORD(Work, reduce_scatter_tensor_coalesced,
                  (Tensors & out, Tensors& in, const c10d::ReduceScatterOptions& o), out, in, o)
  GRADWIRE_RECORD(Work, alltoall, (Tensors & out, Tensors& in, const c10d::AllToAllOptions& o), out, in, o)
  GRADWIRE_RECORD(Work, alltoall_base,
                  (at::Tensor & out, at::Tensor& in, Sizes& outs, Sizes& ins, const c10d::AllToAllOptions& o), out, in,
                  outs, ins, o)
  GRADWIRE_RECORD(Work, send, (Tensors & t, int peer, int tag), t, peer, tag)
  GRADWIRE_RECORD(Work, recv, (Tensors & t, int peer, int tag), t, peer, tag)
  GRADWIRE_RECORD(Work, recvAnysource, (Tensors & t, int tag), t, tag)
  GRADWIRE_RECORD(void, monitoredBarrier, (const c10d::BarrierOptions& o, bool all), o, all)

  Work barrier(const c10d::BarrierOptions& options) override {
    barrier_options = options;
    return Note<Work>("barrier", options);
  }
  c10d::BarrierOptions barrier_options;

#ifdef GRADWIRE_BACKEND_2_12
  GRADWIRE_RECORD(void, suspend, ())
  GRADWIRE_RECORD(void, resume, ())
  GRADWIRE_RECORD(MemoryStats, getMemoryStats, ())
#endif
#ifdef GRADWIRE_BACKEND_2_14
  GRADWIRE_RECORD(Work, all_gather_single, (at::Tensor & out, at::Tensor& in, const c10d::AllgatherOptions& o), out, in,
                  o)
  GRADWIRE_RECORD(Work, all_gather_single_coalesced, (Tensors & out, Tensors& in, const c10d::AllgatherOptions& o), out,
                  in, o)
  GRADWIRE_RECORD(Work, gather_single, (at::Tensor & out, at::Tensor& in, const c10d::GatherOptions& o), out, in, o)
  GRADWIRE_RECORD(Work, gather_into_tensor, (at::Tensor & out, at::Tensor& in, const c10d::GatherOptions& o), out, in,
                  o)
  GRADWIRE_RECORD(Work, reduce_scatter_single, (at::Tensor & out, at::Tensor& in, const c10d::ReduceScatterOptions& o),
                  out, in, o)
  GRADWIRE_RECORD(Work, reduce_scatter_single_coalesced,
                  (Tensors & out, Tensors& in, const c10d::ReduceScatterOptions& o), out, in, o)
  GRADWIRE_RECORD(Work, all_to_all_single,
                  (at::Tensor & out, at::Tensor& in, Sizes& outs, Sizes& ins, const c10d::AllToAllOptions& o), out, in,
                  outs, ins, o)
  GRADWIRE_RECORD(void, addEphemeralTimeout, (const std::chrono::milliseconds& time), time)
  GRADWIRE_RECORD(std::optional<at::Device>, getBoundDeviceId, () const)
  GRADWIRE_RECORD(void, setBoundDeviceId, (std::optional<at::Device> device), device)
#endif
#ifdef GRADWIRE_BACKEND_2_15
  GRADWIRE_RECORD(bool, isInitialized, ())
  GRADWIRE_RECORD(void, startTimeEstimate, ())
  GRADWIRE_RECORD(float, endTimeEstimate, ())
  GRADWIRE_RECORD(bool, supportsAbortHooks, () const)
  GRADWIRE_RECORD(bool, supportsCompletionHooks, () const)
  GRADWIRE_RECORD(void, registerCompletionHook, (int64_t id, c10d::CompletionHook hook), id, hook)
  GRADWIRE_RECORD(void, unregisterCompletionHook, (int64_t id), id)
#endif
#ifdef C10D_BACKEND_HAS_HOOKS
  GRADWIRE_RECORD(void, registerAbortHook, (int64_t id, c10d::AbortHook hook), id, hook)
  GRADWIRE_RECORD(void, unregisterAbortHook, (int64_t id), id)
#endif
#ifdef C10D_BACKEND_HAS_RECONFIGURE
  GRADWIRE_RECORD(bool, supportsReconfigure, () const)
  GRADWIRE_RECORD(c10d::ReconfigureHandle, get_reconfigure_handle, () const)
  Work reconfigure(const c10d::ReconfigureOptions& options) override {
    rank_ = rank_after_reconfigure;
    size_ = size_after_reconfigure;
    return Note<Work>("reconfigure", options);
  }
  int rank_after_reconfigure = getRank();
  int size_after_reconfigure = getSize();
#endif
#ifdef C10D_BACKEND_HAS_WINDOW
  GRADWIRE_RECORD(bool, supportsWindow, () const)
  GRADWIRE_RECORD(c10::intrusive_ptr<c10d::Window>, new_window, (const std::optional<at::Tensor>& tensor), tensor)
#endif
#undef GRADWIRE_RECORD

 private:
  template <typename Return, typename... Args>
  Return Note(const char* name, const Args&... args) const {
    std::string text;
    ((text += (text.empty() ? "" : ", ") + Passed(args)), ...);
    calls.push_back(std::string(name) + "(" + text + ")");
    if (fails == name) throw std::runtime_error(name_ + "'s " + name + " fails");
    return Answer<Return>();
  }

  template <typename Return>
  Return Answer() const {
    if constexpr (std::is_same_v<Return, bool>) return yes;
    if constexpr (std::is_same_v<Return, uint64_t>) return sequence;
    if constexpr (std::is_same_v<Return, float>) return static_cast<float>(sequence);
    if constexpr (std::is_same_v<Return, std::string>) return name_;
    if constexpr (std::is_same_v<Return, c10d::ErrorType>) return error;
    if constexpr (std::is_same_v<Return, std::optional<at::Device>>) return at::Device(at::kCUDA, 5);
    if constexpr (std::is_same_v<Return, MemoryStats>) return {{name_, sequence}};
    if constexpr (std::is_same_v<Return, Work>) return work;
    if constexpr (std::is_same_v<Return, OptionsPtr>) return options_;
    if constexpr (std::is_same_v<Return, at::Tensor>) return tensor_;
    if constexpr (std::is_same_v<Return, std::shared_ptr<c10::Allocator>>) return allocator_;
#ifdef C10D_BACKEND_HAS_WINDOW
    if constexpr (std::is_same_v<Return, c10::intrusive_ptr<c10d::Window>>) return window_;
#endif
    return Return();
  }

  std::string name_;
  OptionsPtr options_ = c10::make_intrusive<Options>("recording");
  at::Tensor tensor_ = at::zeros({1});
  std::shared_ptr<c10::Allocator> allocator_{c10::GetAllocator(at::kCPU), [](c10::Allocator*) {}};
#ifdef C10D_BACKEND_HAS_WINDOW
  c10::intrusive_ptr<c10d::Window> window_ = c10::make_intrusive<c10d::Window>();
#endif
};

}  // namespace gradwire::testing
