// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/core.h"

namespace gradwire {

/// A bucket becomes payloads through the link: `values` -> `message` behind the frame, padding zeroed. Returns whether
/// a piece held a non-finite element; such a piece is sent as zeros and its memory stays as it was.
template <typename T>
bool Pack(ExchangeCore<T>& core, const BucketPlan& plan, uint64_t step, std::span<const T> values,
          std::span<std::byte> message);

/// The weighted sum of the messages, by rank, into `values`. Throws PeerError naming rank, bucket and parameter.
template <typename T>
void Unpack(ExchangeCore<T>& core, const BucketPlan& plan, uint64_t step,
            std::span<const std::span<const std::byte>> messages, std::span<const T> weights, std::span<T> values);

}  // namespace gradwire
