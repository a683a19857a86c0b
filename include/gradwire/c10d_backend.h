// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include <c10/core/DeviceType.h>
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

namespace gradwire {

/// May take an all-reduce in place of the inner backend: returns its Work, or null to let it pass.
using AllReduceTaker =
    std::function<c10::intrusive_ptr<c10d::Work>(std::vector<at::Tensor>&, const c10d::AllreduceOptions&)>;

/// The backend named "gradwire" of a c10d process group. It changes no bit of what it is given: every call goes on to
/// an inner backend with the same arguments, options included, and the answer is the inner one's own, Work objects too
/// (but see coalescing). Only means of integers on the cpu, which Gloo refuses, are asked of it as sums and divided
/// here, towards zero, as NCCL does; of bool they are a TypeError, as NCCL's. Gradients are compressed elsewhere, by a
/// DDP hook that uses groups of its own. `take`, where it is set, is asked first about each all-reduce, on the caller's
/// thread.
///
/// `inner`: the backend for each type of device, such as {{kCPU, gloo}, {kCUDA, nccl}}. One backend may serve several
/// types. Throws ConfigError where the list is empty, a backend is null, a type is named twice, or the inner backends
/// differ in rank or size.
///
/// Which inner backend a call reaches, where there are several:
///  - a collective or a transfer: the one of its tensors' device. Error where none serves it, with those that are;
///  - barrier: that of `options.device`, or the main one (below) for `options.device_ids`, or that of the device which
///    the group is bound to, or the cpu's, or the main one. torch.distributed.barrier() chooses the same way, but a
///    ProcessGroup drops `options.device` before it gets here;
///  - monitoredBarrier: that of `options.device`, or the cpu's, or the main one;
///  - timeouts, abort, shutdown, the group's uid, the bound device, the timing of collectives: all of them, each once.
///    An error of one does not keep the call from the others; the first error is thrown in the end;
///  - getError: the first error of any; getSequenceNumberForGroup: their sum; isInitialized: all are;
///  - coalescing, which names no device: those that support it. The Work at its end waits for what the others were
///  given
///    meanwhile as well;
///  - time estimates, which name no device either, and reconfigure: Error, and the supports... function says false.
///    supportsTensorAlloc: true where all say so;
///  - everything else: the main one, the first that does not serve the cpu, or the first of all. torch has the same one
///    as the default of a group with Gloo and NCCL.
///
/// Splitting, merging and shrinking are not supported: the child of an inner backend would not be a "gradwire" one.
/// What is not virtual in torch cannot be forwarded: the group's description, and before torch 2.14 the bound device.
///
/// Threads: the backend adds no rule of its own to the inner ones', whose rules hold. It shares their
/// ownership.
c10::intrusive_ptr<c10d::Backend> MakeForwardingBackend(
    const std::vector<std::pair<c10::DeviceType, c10::intrusive_ptr<c10d::Backend>>>& inner, AllReduceTaker take = {});

}  // namespace gradwire
