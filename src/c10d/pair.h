// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "gradwire/c10d_group.h"

namespace gradwire {

/// A connection of two processes, for messages of any size: a Gloo group of its own, so that the end of one process
/// touches no connection but its own. One thread may send while another one receives.
class Pair {
 public:
  enum class End { kFirst, kSecond };

  /// Connects to the process that makes the other end with the same prefix. `member`: its store, address and timeout
  /// are used; the store by this object alone. `peer`: who the other one is, for errors. Throws Error where it does not
  /// come within the timeout.
  Pair(const Membership& member, const std::string& prefix, End end, std::string peer);

  /// Returns when the message is on its way; blocks while the other end does not receive. Throws Error, naming the
  /// peer, where it is gone or does not receive within the timeout. The same for Receive.
  void Send(std::span<const std::byte> message);
  /// Throws Error for a message of more than `most` bytes.
  std::vector<std::byte> Receive(size_t most);

 private:
  void Transfer(std::span<std::byte> bytes, bool sends);

  std::chrono::milliseconds timeout_;
  int other_;
  std::string peer_;
  c10::intrusive_ptr<c10d::Backend> backend_;
};

}  // namespace gradwire
