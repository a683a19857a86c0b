// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <thread>

#include "support/forwarding_collective.h"

namespace gradwire::testing {

/// A link of so many bytes a second: this rank's messages and sums take at least that long.
class SlowCollective : public ForwardingCollective {
 public:
  SlowCollective(Collective& inner, double bytes_per_s) : ForwardingCollective(inner), bytes_per_s_(bytes_per_s) {}

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    for (const Outgoing& message : outgoing) Sleep(message.bytes.size());
    return ForwardingCollective::Start(id, outgoing, incoming);
  }
  Ticket StartAllReduce(std::span<float> values) override {
    Sleep(values.size_bytes());
    return ForwardingCollective::StartAllReduce(values);
  }
  using ForwardingCollective::StartAllReduce;

 private:
  void Sleep(size_t bytes) const {
    std::this_thread::sleep_for(std::chrono::duration<double>(static_cast<double>(bytes) / bytes_per_s_));
  }

  const double bytes_per_s_;
};

}  // namespace gradwire::testing
