// SPDX-License-Identifier: Apache-2.0
#include "c10d/roll_call.h"

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

namespace gradwire {
namespace {

using std::chrono::milliseconds;

constexpr const char *kDead = "dead", *kCalled = "called";
constexpr milliseconds kAnswer{5000};  // of the store: for a verdict that cannot wait

std::string Reported(int rank) { return "reported/" + std::to_string(rank); }

/// What a prefix store puts before its keys.
struct Prefixed : c10d::PrefixStore {
  static const std::string& Of(const c10d::PrefixStore& store) { return store.*&Prefixed::prefix_; }
};

/// The store at the bottom; the prefixes above it, the outermost first.
c10::intrusive_ptr<c10d::Store> Base(c10::intrusive_ptr<c10d::Store> store, std::vector<std::string>& prefixes) {
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

/// One more connection to the server of that store, or, of a store that has only one, that. The same for all roll calls
/// of the process while the store lives: a connection asks for the name of the server's host, which can take a second.
c10::intrusive_ptr<c10d::Store> OwnConnection(const Membership& member, const c10::intrusive_ptr<c10d::Store>& base) {
  struct Connection {
    c10::weak_intrusive_ptr<c10d::Store> of;
    c10::intrusive_ptr<c10d::Store> own;
  };
  static std::mutex mutex;
  static std::map<std::pair<const c10d::Store*, int>, Connection> all;  // ranks may be threads
  const std::lock_guard lock(mutex);
  std::erase_if(all, [](const auto& entry) { return entry.second.of.expired(); });
  const auto known = all.find({base.get(), member.rank});
  if (known != all.end()) return known->second.own;
  const auto limit = std::min(kAnswer, member.timeout / 2);
  Membership at_base = member;
  at_base.store = base;
  c10::intrusive_ptr<c10d::Store> own;
  try {
    own = c10::make_intrusive<BoundedStore>(at_base, member.timeout)->Clone(limit);
  } catch (const PeerError&) {
    throw;
  } catch (const std::exception&) {
    return c10::make_intrusive<BoundedStore>(at_base, limit);
  }
  all.emplace(std::pair(base.get(), member.rank), Connection{c10::weak_intrusive_ptr<c10d::Store>(base), own});
  return own;
}

c10::intrusive_ptr<c10d::Store> Connect(const Membership& member) {
  std::vector<std::string> prefixes;
  const auto base = Base(member.store, prefixes);
  c10::intrusive_ptr<c10d::Store> store = OwnConnection(member, base);
  for (; !prefixes.empty(); prefixes.pop_back())
    store = c10::make_intrusive<c10d::PrefixStore>(prefixes.back(), std::move(store));
  return c10::make_intrusive<c10d::PrefixStore>("gradwire/roll_call", std::move(store));
}

}  // namespace

RollCall::RollCall(const Membership& member)
    : of_(member.store),
      store_(Connect(member)),
      rank_(member.rank),
      size_(member.size),
      store_rank_(member.store_rank) {}

int RollCall::Blame(int suspect) {
  try {
    const std::string mine = std::to_string(suspect);
    const auto first =
        store_->compareSet(kDead, std::vector<uint8_t>{}, std::vector<uint8_t>(mine.begin(), mine.end()));
    Mark(kCalled);  // those that wait shall look
    return std::stoi(std::string(first.begin(), first.end()));
  } catch (const StoreSilent&) {
    return store_rank_ >= 0 && store_rank_ != rank_ ? store_rank_ : suspect;
  } catch (const std::exception&) {
    return suspect;
  }
}

bool RollCall::Answer() {
  try {
    if (!Has(kCalled)) return false;
    Mark(Reported(rank_));
    return Has(kDead);
  } catch (const std::exception&) {
    return false;
  }
}

int RollCall::FindMissing(milliseconds patience) {
  try {
    Mark(Reported(rank_));
    Mark(kCalled);
    const auto end = std::chrono::steady_clock::now() + patience;
    for (int rank = 0; rank < size_; ++rank) {
      while (!Has(Reported(rank))) {
        if (Has(kDead)) return Blame(-1);
        if (std::chrono::steady_clock::now() > end) return Blame(rank);
        std::this_thread::sleep_for(milliseconds(20));
      }
    }
    return Has(kDead) ? Blame(-1) : -1;
  } catch (const std::exception&) {  // the store is silent, or went with the rank that served it
    return store_rank_ == rank_ ? -1 : store_rank_;
  }
}

PeerError RollCall::Verdict(int suspect, const std::string& what, const std::string& detail) {
  const int blamed = suspect >= 0 ? Blame(suspect) : suspect;
  const std::string end = ", says rank " + std::to_string(rank_), because = " (" + detail + ")";
  if (blamed == rank_)
    return {-1, "this rank, " + std::to_string(rank_) +
                    ", was given up by another one, which had not heard of it in time; was it stopped, or much slower "
                    "than the others?" +
                    because};
  if (blamed < 0) return {blamed, "a rank (all of them still report) " + what + end + because};
  const std::string more = blamed == suspect ? "" : "; it was noticed first by another rank";
  return {blamed, "rank " + std::to_string(blamed) + " " + what + end + more + because};
}

std::shared_ptr<RollCall> RollCallOf(const Membership& member) {
  static std::mutex mutex;
  static std::map<std::pair<const c10d::Store*, int>, std::weak_ptr<RollCall>> all;  // ranks may be threads
  const std::lock_guard lock(mutex);
  std::weak_ptr<RollCall>& known = all[{member.store.get(), member.rank}];
  auto roll_call = known.lock();
  if (!roll_call) known = roll_call = std::make_shared<RollCall>(member);
  return roll_call;
}

}  // namespace gradwire
