// SPDX-License-Identifier: Apache-2.0
#include <mutex>

#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "collective/conformance.h"
#include "gradwire/c10d_group.h"

namespace gradwire {
namespace {

/// One store a group, over loopback sockets; a group is as many arrivals as its size.
class Stores {
 public:
  c10::intrusive_ptr<c10d::Store> Take(int size) {
    const std::lock_guard lock(mutex_);
    if (left_ == 0) {
      store_ = c10::make_intrusive<c10d::HashStore>();
      left_ = size;
    }
    --left_;
    return store_;
  }

 private:
  std::mutex mutex_;
  c10::intrusive_ptr<c10d::Store> store_;
  int left_ = 0;
};

std::unique_ptr<Collective> Make(int rank, int size, std::chrono::milliseconds timeout) {
  static Stores stores;
  return MakeC10dCollective({stores.Take(size), rank, size, "127.0.0.1", timeout}, "test");
}

GRADWIRE_COLLECTIVE_CONFORMANCE(C10dCollective, Make)

}  // namespace
}  // namespace gradwire
