// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

namespace gradwire::testing {

/// Bytes that this process has sent over its open TCP connections, as the kernel counts them (tcpi_bytes_sent, without
/// retransmissions' share).
inline uint64_t SocketBytesSent() {
  constexpr int kHighestDescriptor = 1024;
  uint64_t total = 0;
  for (int descriptor = 0; descriptor < kHighestDescriptor; ++descriptor) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
      total += info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
  }
  return total;
}

}  // namespace gradwire::testing
