// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace gradwire {

/// Serves a TCPStore that listens on `host` alone where that is a numeric address of this machine, and on all
/// interfaces for a name: other hosts may resolve it to other addresses. `port`: 0 for a free one. torch's own
/// way listens on all interfaces whatever the host. Throws Error, at once where the port is in use.
c10::intrusive_ptr<c10d::TCPStore> ServeStore(const std::string& host, int port, std::chrono::milliseconds timeout);

/// Whether somebody listens there now. torch's own way says with a stack of twenty lines that nobody does.
bool IsListening(const std::string& host, int port);

}  // namespace gradwire
