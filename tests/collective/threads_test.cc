// SPDX-License-Identifier: Apache-2.0
#include "collective/thread_collective.h"

#include <map>
#include <mutex>

#include "collective/conformance.h"

namespace gradwire {
namespace {

/// The factory makes all ranks at once; each thread takes its own. A group is named by the order of its first arrival.
class Groups {
 public:
  std::unique_ptr<Collective> Take(int rank, int size, std::chrono::milliseconds timeout) {
    const std::lock_guard lock(mutex_);
    if (left_ == 0) {
      ranks_ = MakeThreadCollectives(size, timeout);
      left_ = size;
    }
    --left_;
    return std::move(ranks_[static_cast<size_t>(rank)]);
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Collective>> ranks_;
  int left_ = 0;
};

std::unique_ptr<Collective> Make(int rank, int size, std::chrono::milliseconds timeout) {
  static Groups groups;
  return groups.Take(rank, size, timeout);
}

GRADWIRE_COLLECTIVE_CONFORMANCE(ThreadCollective, Make)

}  // namespace
}  // namespace gradwire
