// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "c10d/bounded_store.h"

namespace gradwire {

/// The store at the bottom of prefix stores and bounded ones, whose prefixes it appends, the outermost first.
c10::intrusive_ptr<c10d::Store> BaseOf(c10::intrusive_ptr<c10d::Store> store, std::vector<std::string>& prefixes);

/// `store` below prefix stores, of which the first one is the outermost.
c10::intrusive_ptr<c10d::Store> WithPrefixes(c10::intrusive_ptr<c10d::Store> store, std::vector<std::string> prefixes);

/// `store`, of which every call ends within `limit`.
c10::intrusive_ptr<c10d::Store> Bounded(Membership member, c10::intrusive_ptr<c10d::Store> store,
                                        std::chrono::milliseconds limit);

/// One more connection to the server of `base`, bounded likewise; null where that kind of store has only one. Throws
/// PeerError where the server does not answer.
c10::intrusive_ptr<c10d::Store> OtherConnection(Membership member, c10::intrusive_ptr<c10d::Store> base,
                                                std::chrono::milliseconds limit);

}  // namespace gradwire
