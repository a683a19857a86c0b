// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "message/bucket_plan.h"
#include "message/message_context.h"

namespace gradwire {

/// A received message and who sent it.
struct From {
  std::span<const std::byte> message;
  uint32_t sender;
};

/// What a receiver takes of the mean of these messages, into the planned pieces of `values`; other pieces stay. Throws
/// PeerError naming rank, bucket and parameter.
template <typename T>
void Unpack(const MessageContext<T>& context, const MessagePlan& plan, uint32_t bucket, const Round& round,
            std::span<const From> messages, std::span<T> values);

}  // namespace gradwire
