// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/rank_env.h"

namespace gradwire {

/// An address of this host that a rank listens on.
struct LocalAddress {
  std::string interface;  ///< e.g. "eth0"
  std::string address;    ///< numeric, IPv4 or IPv6
  bool loopback = false;  ///< cannot be reached from another host
};

/// The address by which the other ranks reach this one: that of the interface named by GLOO_SOCKET_IFNAME, else the one
/// from which this host reaches MASTER_ADDR. Sends nothing.
/// Throws ConfigError where there is none, and for loopback that nobody named when other launchers have ranks too.
LocalAddress FindLocalAddress(const RankEnv& env);

}  // namespace gradwire
