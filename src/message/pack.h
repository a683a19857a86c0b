// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "message/bucket_plan.h"
#include "message/message_context.h"

namespace gradwire {

struct Packed {
  size_t bytes = 0;         ///< of the message
  bool poisoned = false;    ///< a piece held a non-finite element: it was sent as zeros, and its memory is as it was
  uint32_t rates = 0;       ///< for the frame: RatesOf, or 0 where no piece was sent in units of a step
  uint64_t paper_bits = 0;  ///< of the payloads, as context.count_as counts them
};

/// Hash of the step sizes that the planned pieces are sent with, as float32, by which ranks notice that theirs differ;
/// never 0, but where the link has none inside.
template <typename T>
uint32_t RatesOf(const MessageContext<T>& context, const MessagePlan& plan, const Round& round);

/// The planned pieces of `values`, a bucket, become payloads behind the frame of `message` (plan.bytes), padding
/// zeroed. `order`: of the plan's pieces, in which they are done; empty: as planned. Any gives the same message.
template <typename T>
Packed Pack(const MessageContext<T>& context, const MessagePlan& plan, const Round& round, std::span<const T> values,
            std::span<std::byte> message, std::span<const size_t> order = {});

}  // namespace gradwire
