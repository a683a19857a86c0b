// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/recording_backend.h"

namespace gradwire::testing {

/// The arguments of all calls, with tensors of one type of device. Options are told by their address, so that default
/// values do.
struct Arguments {
  explicit Arguments(at::DeviceType type) : device(type, 0), output(at::empty({6}, device)), input(output.clone()) {
    barrier.device = device;
  }

  at::Device device;
  at::Tensor output, input;
  Tensors tensors{input}, outputs{output};
  TensorLists lists{{output, input}};
  Sizes output_sizes{2, 2, 2}, input_sizes{1, 2, 3};
  std::optional<at::Tensor> window{input};
  std::chrono::milliseconds time{12345};
  std::string uid = "uid";
  MarkedHook hook{42};

  c10d::BroadcastOptions broadcast;
  c10d::AllreduceOptions allreduce;
  c10d::AllreduceCoalescedOptions allreduce_coalesced;
  c10d::ReduceOptions reduce;
  c10d::AllgatherOptions allgather;
  c10d::GatherOptions gather;
  c10d::ScatterOptions scatter;
  c10d::ReduceScatterOptions reduce_scatter;
  c10d::AllToAllOptions alltoall;
  c10d::BarrierOptions barrier;
#ifdef C10D_BACKEND_HAS_RECONFIGURE
  c10d::ReconfigureOptions reconfigure;
#endif
};

/// What a call answered, as text: objects by their identity.
template <typename T>
std::string Answered(const T& value) {
  return c10::str(value);
}
template <typename T>
std::string Answered(const c10::intrusive_ptr<T>& object) {
  return c10::str("at ", static_cast<const void*>(object.get()));
}
template <typename T>
std::string Answered(const std::shared_ptr<T>& object) {
  return c10::str("at ", static_cast<const void*>(object.get()));
}
inline std::string Answered(const at::Tensor& tensor) {
  return c10::str("at ", static_cast<const void*>(tensor.unsafeGetTensorImpl()));
}
inline std::string Answered(c10d::ErrorType error) { return std::to_string(static_cast<int>(error)); }
inline std::string Answered(const std::optional<at::Device>& device) { return device ? device->str() : "no device"; }
inline std::string Answered(const MemoryStats& stats) {
  std::string text;
  for (const auto& [name, bytes] : std::map(stats.begin(), stats.end()))
    text += name + " " + std::to_string(bytes) + ";";
  return text;
}

template <typename Function>
std::string AnswerOf(Function call) {
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    return "nothing";
  } else {
    return Answered(call());
  }
}

/// Which of several inner backends a call is for, by gradwire/c10d_backend.h.
enum class For {
  kDevice,        ///< that of the arguments' device
  kAll,           ///< each of them once
  kMain,          ///< that of the accelerator
  kThoseThatCan,  ///< coalescing, see there
  kUnclear,       ///< nobody can tell: an error
  kNone,          ///< as kUnclear, for a question: the answer is no
};

struct Call {
  std::string name;
  For who;
  std::string (*make)(c10d::Backend&, Arguments&);
};

#define GRADWIRE_CALL(who, name, ...)                                                                      \
  Call {                                                                                                   \
#name, For::who,                                                                                       \
        [](c10d::Backend & backend,                                                                        \
           [[maybe_unused]] Arguments & a) { return AnswerOf([&] { return backend.name(__VA_ARGS__); }); } \
  }

/// Every virtual function of c10d::Backend that the forwarding backend forwards.
inline const std::vector<Call>& Calls() {
  static const std::vector<Call> calls = {
      GRADWIRE_CALL(kDevice, broadcast, a.tensors, a.broadcast),
      GRADWIRE_CALL(kDevice, allreduce, a.tensors, a.allreduce),
      GRADWIRE_CALL(kDevice, allreduce_sparse, a.tensors, a.allreduce),
      GRADWIRE_CALL(kDevice, allreduce_coalesced, a.tensors, a.allreduce_coalesced),
      GRADWIRE_CALL(kDevice, reduce, a.tensors, a.reduce),
      GRADWIRE_CALL(kDevice, allgather, a.lists, a.tensors, a.allgather),
      GRADWIRE_CALL(kDevice, allgather_coalesced, a.lists, a.tensors, a.allgather),
      GRADWIRE_CALL(kDevice, _allgather_base, a.output, a.input, a.allgather),
      GRADWIRE_CALL(kDevice, allgather_into_tensor_coalesced, a.outputs, a.tensors, a.allgather),
      GRADWIRE_CALL(kDevice, gather, a.lists, a.tensors, a.gather),
      GRADWIRE_CALL(kDevice, scatter, a.outputs, a.lists, a.scatter),
      GRADWIRE_CALL(kDevice, reduce_scatter, a.outputs, a.lists, a.reduce_scatter),
      GRADWIRE_CALL(kDevice, _reduce_scatter_base, a.output, a.input, a.reduce_scatter),
      GRADWIRE_CALL(kDevice, reduce_scatter_tensor_coalesced, a.outputs, a.tensors, a.reduce_scatter),
      GRADWIRE_CALL(kDevice, alltoall, a.outputs, a.tensors, a.alltoall),
      GRADWIRE_CALL(kDevice, alltoall_base, a.output, a.input, a.output_sizes, a.input_sizes, a.alltoall),
      GRADWIRE_CALL(kDevice, send, a.tensors, 2, 77),
      GRADWIRE_CALL(kDevice, recv, a.tensors, 2, 77),
      GRADWIRE_CALL(kDevice, recvAnysource, a.tensors, 77),
      GRADWIRE_CALL(kDevice, barrier, a.barrier),
      GRADWIRE_CALL(kDevice, monitoredBarrier, a.barrier, true),
      GRADWIRE_CALL(kDevice, eagerConnectSingleDevice, a.device),
      GRADWIRE_CALL(kDevice, allocateTensor, 99, a.input.options()),
      GRADWIRE_CALL(kAll, supportsTensorAlloc, 3),
      GRADWIRE_CALL(kAll, setTimeout, a.time),
      GRADWIRE_CALL(kAll, setGroupUid, a.uid),
      GRADWIRE_CALL(kAll, setSequenceNumberForGroup),
      GRADWIRE_CALL(kAll, getSequenceNumberForGroup),
      GRADWIRE_CALL(kAll, getError),
      GRADWIRE_CALL(kAll, abort),
      GRADWIRE_CALL(kAll, shutdown),
      GRADWIRE_CALL(kAll, enableCollectivesTiming),
      GRADWIRE_CALL(kMain, getBackendOptions),
      GRADWIRE_CALL(kMain, registerOnCompletionHook, a.hook),
      GRADWIRE_CALL(kMain, waitForPendingWorks),
      GRADWIRE_CALL(kMain, getMemAllocator),
      GRADWIRE_CALL(kThoseThatCan, supportsCoalescing),
      GRADWIRE_CALL(kThoseThatCan, startCoalescing),
      GRADWIRE_CALL(kThoseThatCan, endCoalescing),
#ifdef GRADWIRE_BACKEND_2_12
      GRADWIRE_CALL(kMain, suspend),
      GRADWIRE_CALL(kMain, resume),
      GRADWIRE_CALL(kMain, getMemoryStats),
#endif
#ifdef GRADWIRE_BACKEND_2_14
      GRADWIRE_CALL(kDevice, all_gather_single, a.output, a.input, a.allgather),
      GRADWIRE_CALL(kDevice, all_gather_single_coalesced, a.outputs, a.tensors, a.allgather),
      GRADWIRE_CALL(kDevice, gather_single, a.output, a.input, a.gather),
      GRADWIRE_CALL(kDevice, gather_into_tensor, a.output, a.input, a.gather),
      GRADWIRE_CALL(kDevice, reduce_scatter_single, a.output, a.input, a.reduce_scatter),
      GRADWIRE_CALL(kDevice, reduce_scatter_single_coalesced, a.outputs, a.tensors, a.reduce_scatter),
      GRADWIRE_CALL(kDevice, all_to_all_single, a.output, a.input, a.output_sizes, a.input_sizes, a.alltoall),
      GRADWIRE_CALL(kAll, addEphemeralTimeout, a.time),
      GRADWIRE_CALL(kMain, getBoundDeviceId),
      GRADWIRE_CALL(kAll, setBoundDeviceId, a.device),
#endif
#ifdef GRADWIRE_BACKEND_2_15
      GRADWIRE_CALL(kAll, isInitialized),
      GRADWIRE_CALL(kNone, supportsTimeEstimation),
      GRADWIRE_CALL(kUnclear, startTimeEstimate),
      GRADWIRE_CALL(kUnclear, endTimeEstimate),
      GRADWIRE_CALL(kMain, supportsAbortHooks),
      GRADWIRE_CALL(kMain, supportsCompletionHooks),
      GRADWIRE_CALL(kMain, registerCompletionHook, 88, a.hook),
      GRADWIRE_CALL(kMain, unregisterCompletionHook, 88),
#endif
#ifdef C10D_BACKEND_HAS_HOOKS
      GRADWIRE_CALL(kMain, registerAbortHook, 88, a.hook),
      GRADWIRE_CALL(kMain, unregisterAbortHook, 88),
#endif
#ifdef C10D_BACKEND_HAS_RECONFIGURE
      GRADWIRE_CALL(kNone, supportsReconfigure),
      GRADWIRE_CALL(kUnclear, get_reconfigure_handle),
      GRADWIRE_CALL(kUnclear, reconfigure, a.reconfigure),
#endif
#ifdef C10D_BACKEND_HAS_WINDOW
      GRADWIRE_CALL(kMain, supportsWindow),
      GRADWIRE_CALL(kDevice, new_window, a.window),
#endif
  };
  return calls;
}
#undef GRADWIRE_CALL

}  // namespace gradwire::testing
