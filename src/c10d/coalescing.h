// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <thread>
#include <vector>

#include "c10d/inner_backends.h"

namespace gradwire {

/// Operations between startCoalescing and endCoalescing, which name no device. A single inner backend does it its own
/// way. Of several, those that can (NCCL) coalesce what they are given; the Works of the others (Gloo) are kept, and
/// the end's answer waits for these as well, where they came from the thread that started. Any thread.
class Coalescing {
 public:
  using Work = c10::intrusive_ptr<c10d::Work>;

  static bool Supported(const InnerBackends& inner);
  /// Throws Error where no inner backend can, or the one of several that cannot be named.
  void Start(const InnerBackends& inner);
  /// An operation's Work goes through here, and is returned.
  Work Keep(c10d::Backend& backend, Work work);
  /// Null where nothing was done since the start.
  Work End(const InnerBackends& inner);

 private:
  std::mutex mutex_;
  std::vector<c10d::Backend*> coalescing_;  // while it is open; guarded by mutex_
  std::thread::id starter_;                 // guarded by mutex_
  std::vector<Work> kept_;                  // guarded by mutex_
};

}  // namespace gradwire
