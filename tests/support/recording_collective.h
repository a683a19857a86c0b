// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "support/forwarding_collective.h"

namespace gradwire::testing {

/// Keeps what this rank sent: one message an operation, the same to every peer.
class RecordingCollective : public ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    const bool is_message = !outgoing.empty() && outgoing.front().bytes.size() > sizeof(uint64_t);  // not a length
    if (!is_message) return ForwardingCollective::Start(id, outgoing, incoming);
    const std::span<const std::byte> first = outgoing.front().bytes;
    messages_.emplace_back(first.begin(), first.end());
    for (const Outgoing& message : outgoing)
      EXPECT_TRUE(std::ranges::equal(message.bytes, first)) << "to " << message.peer;
    return ForwardingCollective::Start(id, outgoing, incoming);
  }

  const std::vector<std::vector<std::byte>>& messages() const { return messages_; }

 private:
  std::vector<std::vector<std::byte>> messages_;
};

}  // namespace gradwire::testing
