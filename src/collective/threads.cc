// SPDX-License-Identifier: Apache-2.0
#include "collective/thread_collective.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <tuple>

#include <fmt/format.h>

#include "base/text.h"
#include "collective/group.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using Bytes = std::vector<std::byte>;
using Clock = std::chrono::steady_clock;

/// What the ranks share: mail by (sender, receiver, operation), and who is gone.
struct Hub {
  Hub(int size, std::chrono::milliseconds timeout, Group group = {})
      : timeout(timeout), group(std::move(group)), alive(static_cast<size_t>(size), true) {}

  /// That of a group: the first member makes it, and the last one to come takes it away.
  std::shared_ptr<Hub> OfGroup(const std::string& key, size_t members, const Group& of) {
    const std::lock_guard lock(mutex);
    auto& [hub, came] = groups[key];
    if (!hub) hub = std::make_shared<Hub>(static_cast<int>(members), timeout, of);
    const std::shared_ptr<Hub> made = hub;
    if (++came == members) groups.erase(key);
    return made;
  }

  const std::chrono::milliseconds timeout;
  const Group group;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::tuple<int, int, uint64_t>, Bytes> mail;
  std::vector<bool> alive;
  int dead = -1;                                                          // the first rank that anyone blamed
  std::map<std::string, std::pair<std::shared_ptr<Hub>, size_t>> groups;  // and how many members have come
};

class ThreadCollective final : public Collective {
 public:
  ThreadCollective(std::shared_ptr<Hub> hub, int rank) : hub_(std::move(hub)), rank_(rank) {}

  ~ThreadCollective() override {
    const std::lock_guard lock(hub_->mutex);
    hub_->alive[static_cast<size_t>(rank_)] = false;
    hub_->changed.notify_all();
  }

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(hub_->alive.size()); }

  using Collective::Start;
  uint64_t Reserve() override { return next_++; }

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    Ticket ticket{id, 0};
    for (const Outgoing& message : outgoing) {
      Post(message.peer, ticket.id, message.bytes);
      ticket.bytes_sent += message.bytes.size();
    }
    const std::lock_guard lock(mutex_);
    pending_[id].push_back([this, id, wanted = std::vector<Incoming>(incoming.begin(), incoming.end())] {
      for (const Incoming& message : wanted) Receive(message.peer, id, message.bytes);
    });
    return ticket;
  }

  Ticket StartAllReduce(std::span<float> values) override { return StartSum(values); }
  Ticket StartAllReduce(std::span<double> values) override { return StartSum(values); }

  void Finish(const Ticket& ticket) override {
    const auto pending = [&] {
      const std::lock_guard lock(mutex_);
      return pending_.extract(ticket.id);
    }();
    if (pending.empty()) return;
    for (const auto& part : pending.mapped()) part();
  }

  void Cancel() override {
    const std::lock_guard lock(hub_->mutex);
    cancelled_ = true;
    hub_->changed.notify_all();
  }

  std::unique_ptr<Collective> MakeGroup(std::span<const int> ranks, const std::string& name) override {
    const Group group = hub_->group.Narrow(ranks, size(), rank_, name);
    const std::string key = GroupKey(ranks, name, made_[GroupKey(ranks, name, 0)]++);
    return std::make_unique<ThreadCollective>(hub_->OfGroup(key, ranks.size(), group), PlaceOf(rank_, ranks));
  }

  std::vector<std::string> GatherText(std::string_view text) override {
    const uint64_t id = next_++;
    std::vector<std::string> texts(static_cast<size_t>(size()));
    texts[static_cast<size_t>(rank_)] = text;
    ForPeers([&](int peer) { Post(peer, id, std::as_bytes(std::span(text))); });
    ForPeers([&](int peer) {
      const Bytes bytes = Await(peer, id);
      texts[static_cast<size_t>(peer)].assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    return texts;
  }

 private:
  template <typename Do>
  void ForPeers(Do&& act) {
    for (int peer = 0; peer < size(); ++peer)
      if (peer != rank_) act(peer);
  }

  /// Every rank sends its values to every other one and sums all of them in rank order.
  template <typename T>
  Ticket StartSum(std::span<T> values) {
    Ticket ticket{next_++, 0};
    ForPeers([&](int peer) { Post(peer, ticket.id, std::as_bytes(values)); });
    ticket.bytes_sent = values.size_bytes() * static_cast<size_t>(size() - 1);
    const std::lock_guard lock(mutex_);
    pending_[ticket.id].push_back([this, id = ticket.id, values] {
      const std::vector<T> own(values.begin(), values.end());
      std::vector<T> theirs(values.size());
      std::vector<T> sum(values.size());
      for (int peer = 0; peer < size(); ++peer) {
        if (peer != rank_) Receive(peer, id, std::as_writable_bytes(std::span(theirs)));
        const std::vector<T>& term = peer == rank_ ? own : theirs;
        for (size_t i = 0; i < sum.size(); ++i) sum[i] = peer == 0 ? term[i] : sum[i] + term[i];
      }
      const std::lock_guard lock(hub_->mutex);
      CheckNotCancelled();  // its owner may be gone with the values
      std::ranges::copy(sum, values.begin());
    });
    return ticket;
  }

  std::string Name(int rank) const { return hub_->group.NameRank(rank); }

  void CheckNotCancelled() const {  // under the hub's lock
    if (cancelled_) throw Error(fmt::format("the exchange of {} was given up", Name(rank_)));
  }

  void Post(int peer, uint64_t id, std::span<const std::byte> bytes) {
    const std::lock_guard lock(hub_->mutex);
    hub_->mail[{rank_, peer, id}].assign(bytes.begin(), bytes.end());
    hub_->changed.notify_all();
  }

  void Receive(int peer, uint64_t id, std::span<std::byte> room) {
    const Bytes bytes = Await(peer, id);
    if (bytes.size() != room.size()) {
      const std::lock_guard lock(hub_->mutex);
      if (hub_->dead < 0) hub_->dead = peer;
      throw PeerError(hub_->dead, fmt::format("{} sent {} bytes, rank {} expected {} (first blamed: rank {})",
                                              Name(peer), bytes.size(), rank_, room.size(), hub_->dead));
    }
    std::ranges::copy(bytes, room.begin());
  }

  Bytes Await(int peer, uint64_t id) {
    std::unique_lock lock(hub_->mutex);
    const auto key = std::make_tuple(peer, rank_, id);
    const auto over = [&] { return cancelled_ || hub_->mail.contains(key) || !hub_->alive[static_cast<size_t>(peer)]; };
    bool answered = false;
    for (auto since = Clock::now(); !answered && Clock::now() < since + hub_->timeout;) {
      answered = hub_->changed.wait_until(lock, since + hub_->timeout, over);
      since = std::max(since, last_taken_);  // others' messages came: it is no silence
    }
    CheckNotCancelled();
    if (const auto found = hub_->mail.extract(key); !found.empty()) {
      last_taken_ = Clock::now();
      return std::move(found.mapped());
    }
    if (hub_->dead < 0) hub_->dead = peer;
    throw PeerError(hub_->dead, answered ? fmt::format("{} is gone (rank {} noticed)", Name(hub_->dead), rank_)
                                         : fmt::format("{} did not answer rank {} within {} ms (first blamed: rank {})",
                                                       Name(peer), rank_, hub_->timeout.count(), hub_->dead));
  }

  std::shared_ptr<Hub> hub_;
  int rank_;
  uint64_t next_ = 0;
  std::map<std::string, size_t> made_;  // groups, by their keys
  bool cancelled_ = false;              // guarded by the hub's mutex
  Clock::time_point last_taken_;        // guarded by the hub's mutex
  std::mutex mutex_;
  std::map<uint64_t, std::vector<std::function<void()>>> pending_;  // guarded by mutex_
};

}  // namespace

std::string BucketPlace::text() const { return fmt::format("step {}, bucket {}{}", step, bucket, InChannel(channel)); }

std::vector<std::unique_ptr<Collective>> MakeThreadCollectives(int size, std::chrono::milliseconds timeout) {
  const auto hub = std::make_shared<Hub>(size, timeout);
  std::vector<std::unique_ptr<Collective>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<ThreadCollective>(hub, rank));
  return ranks;
}

}  // namespace gradwire
