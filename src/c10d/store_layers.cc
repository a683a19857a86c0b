// SPDX-License-Identifier: Apache-2.0
#include "c10d/store_layers.h"

#include <utility>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

namespace gradwire {
namespace {

/// What a prefix store puts before its keys.
struct Prefixed : c10d::PrefixStore {
  static const std::string& Of(const c10d::PrefixStore& store) { return store.*&Prefixed::prefix_; }
};

}  // namespace

c10::intrusive_ptr<c10d::Store> BaseOf(c10::intrusive_ptr<c10d::Store> store, std::vector<std::string>& prefixes) {
  for (;;) {
    if (auto* prefix = dynamic_cast<c10d::PrefixStore*>(store.get())) {
      prefixes.push_back(Prefixed::Of(*prefix));
      store = prefix->getUnderlyingStore();
    } else if (auto* bounded = dynamic_cast<BoundedStore*>(store.get())) {
      store = bounded->inner();
    } else {
      return store;
    }
  }
}

c10::intrusive_ptr<c10d::Store> WithPrefixes(c10::intrusive_ptr<c10d::Store> store, std::vector<std::string> prefixes) {
  for (; !prefixes.empty(); prefixes.pop_back())
    store = c10::make_intrusive<c10d::PrefixStore>(prefixes.back(), std::move(store));
  return store;
}

c10::intrusive_ptr<c10d::Store> Bounded(Membership member, c10::intrusive_ptr<c10d::Store> store,
                                        std::chrono::milliseconds limit) {
  member.store = std::move(store);
  return c10::make_intrusive<BoundedStore>(member, limit);
}

c10::intrusive_ptr<c10d::Store> OtherConnection(Membership member, c10::intrusive_ptr<c10d::Store> base,
                                                std::chrono::milliseconds limit) {
  member.store = std::move(base);
  try {
    return c10::make_intrusive<BoundedStore>(member, member.timeout)->Clone(limit);
  } catch (const PeerError&) {
    throw;
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace gradwire
