// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradwire {

/// What a registry was asked, and the bytes of it: a member is 4 bytes, the end of its time 8, beside the key.
struct RegistryStats {
  uint64_t requests = 0;
  uint64_t bytes = 0;  ///< both ways
};

/// Who is to be found under a key: members, each until its time is over, so that nobody need take away who has died.
/// Groups of peers find each other by this and by nothing else: a job's store can stand here, or a distributed hash
/// table, where a request takes as many messages as its ways have hops. Not thread-safe.
class Registry {
 public:
  virtual ~Registry() = default;
  /// A member is there for so many seconds from now; one that is there already gets these instead of its own.
  virtual void Announce(const std::string& key, uint32_t member, double seconds) = 0;
  /// Those whose time is not over, ascending.
  virtual std::vector<uint32_t> Members(const std::string& key) = 0;
  virtual RegistryStats stats() const = 0;
};

/// In this process's memory. `now`: seconds, which never go back.
std::unique_ptr<Registry> MakeMemoryRegistry(std::function<double()> now);

}  // namespace gradwire
