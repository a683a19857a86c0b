// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>

#include "gradwire/error.h"

namespace gradwire {

/// The process that made an object with threads. A forked child has a copy of the object's memory and none of its
/// threads: what they held locked stays locked there, and what waits for them never ends. So a child uses nothing of
/// such an object, and does not destroy it either.
class OwnProcess {
 public:
  bool is_here() const { return getpid() == id_; }

  /// Throws Error in a forked child.
  void Require() const {
    if (!is_here())
      throw Error("the exchange belongs to process " + std::to_string(id_) + ", and this is its forked child " +
                  std::to_string(getpid()) + ", which has none of its threads and connections: train in the parent, " +
                  "or start the child by spawn and let it join a group of its own");
  }

 private:
  const pid_t id_ = getpid();
};

}  // namespace gradwire
