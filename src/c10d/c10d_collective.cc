// SPDX-License-Identifier: Apache-2.0
// Messages and sums over a Gloo group of their own. Start makes one Work for each message, with the operation's number
// as its tag, and Finish waits for them. They wait without a timeout of Gloo's own, which would close all of the rank's
// connections. Instead the watch sees whether any wait ends at all, and after a silence of the timeout ends all of them
// (EndWaits) with the roll call's verdict, the same on all ranks, of who is to blame. An error of a message names its
// peer; a sum's does not, and FindCulprit tries the connections. Works that are not done stay in pending_, because Gloo
// may write into their tensors for as long as the process lives.
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "base/notice.h"
#include "c10d/connection.h"
#include "c10d/gloo_factory.h"
#include "c10d/join_group.h"
#include "c10d/setup_wait.h"
#include "c10d/torch_error.h"
#include "c10d/watch.h"
#include "gradwire/c10d_group.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSlice{1000};
/// By how much Gloo's own timeout of a sum is longer than the collective's, so that the watch comes first.
constexpr milliseconds kGlooLater{65000};
constexpr milliseconds kForever = std::chrono::hours(24 * 365);
constexpr int kProbeTag = 1 << 30;  // messages have smaller tags

template <typename T>
at::Tensor View(std::span<T> values, at::ScalarType type) {
  return at::from_blob(const_cast<std::remove_const_t<T>*>(values.data()), {static_cast<int64_t>(values.size())}, type);
}

class C10dCollective final : public Collective {
 public:
  C10dCollective(const Membership& member, const std::string& prefix)
      : C10dCollective(WithBoundedStore(member), prefix, RollCallOf(member),
                       MakeGlooBackend(member, prefix + "/gloo")) {}

  /// A group's: its members may come one after another, so that nobody waits for them here.
  explicit C10dCollective(const GroupMembership& group)
      : C10dCollective(
            group.member, group.roll_call->group().name, group.roll_call,
            [this, group](const std::stop_token& stop) {
              return MeetOverGloo(group.member, "gloo", *group.roll_call, stop);
            },
            [this] { FailToConnect(); }) {}
  ~C10dCollective() override {
    connection_.Close();
    if (is_over_) AbandonSums();
  }

  int rank() const override { return member_.rank; }
  int size() const override { return member_.size; }

  using Collective::Start;
  uint64_t Reserve() override { return next_++; }

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    Ticket ticket{id, 0};
    for (const Outgoing& message : outgoing) ticket.bytes_sent += message.bytes.size();
    connection_.Then([this, id, in = std::vector(incoming.begin(), incoming.end()),
                      out = std::vector(outgoing.begin(), outgoing.end())](c10d::Backend& backend) {
      const int tag = static_cast<int>(id % (1u << 30));
      for (const Incoming& message : in)
        Keep(id, Begin(backend, message.peer, View(message.bytes, at::kByte), tag, &c10d::Backend::recv));
      for (const Outgoing& message : out)
        Keep(id, Begin(backend, message.peer, View(message.bytes, at::kByte), tag, &c10d::Backend::send));
    });
    return ticket;
  }

  Ticket StartAllReduce(std::span<float> values) override { return StartSum(View(values, at::kFloat)); }
  Ticket StartAllReduce(std::span<double> values) override { return StartSum(View(values, at::kDouble)); }

  void Finish(const Ticket& ticket) override {
    connection_.Await();
    for (const Pending& part : Parts(ticket.id)) Await(part, ticket.place);
    const std::lock_guard lock(mutex_);
    pending_.erase(ticket.id);
  }

  void Cancel() override { EndWaits(std::nullopt); }

  std::vector<std::string> GatherText(std::string_view text) override {
    const std::string key = "text/" + std::to_string(next_++) + "/";
    const auto is_there = [&](int peer) { return store_->check({key + std::to_string(peer)}); };
    const auto missing = [&] {
      std::vector<int> ranks;
      for (int peer = 0; peer < size(); ++peer)
        if (!is_there(peer)) ranks.push_back(peer);
      return ranks;
    };
    store_->set(key + std::to_string(rank()), std::vector<uint8_t>(text.begin(), text.end()));
    SetupWait wait(*roll_call_, timeout_, "the settings of " + name_, missing);
    std::vector<std::string> texts;
    for (int peer = 0; peer < size(); ++peer) {
      while (!is_there(peer)) wait.Pause();
      const std::vector<uint8_t> bytes = store_->get(key + std::to_string(peer));
      texts.emplace_back(bytes.begin(), bytes.end());
    }
    return texts;
  }

  std::unique_ptr<Collective> MakeGroup(std::span<const int> ranks, const std::string& name) override {
    const Group group = roll_call_->group().Narrow(ranks, size(), rank(), name);
    const std::string key = GroupKey(ranks, name, made_[GroupKey(ranks, name, 0)]++);
    return std::make_unique<C10dCollective>(JoinGroup(member_, *roll_call_, ranks, group, name_ + "/" + key));
  }

  PeerError Diagnose(const std::string& detail) override {
    return roll_call_->Verdict(FindCulprit(), "did not do its part", detail);
  }

 private:
  /// `connection`: what makes the Connection.
  template <typename... Connects>
  C10dCollective(const Membership& member, std::string name, std::shared_ptr<RollCall> roll_call,
                 Connects&&... connection)
      : member_(member),
        name_(std::move(name)),
        store_(c10::make_intrusive<c10d::PrefixStore>(name_, member.store)),
        roll_call_(std::move(roll_call)),
        timeout_(member.timeout),
        notice_(member.timeout),
        connection_(std::forward<Connects>(connection)...),
        watch_(member.timeout, [this](bool is_silent, milliseconds waited) { Tick(is_silent, waited); }) {}

  struct Pending {
    int peer;  // -1: all of them
    at::Tensor tensor;
    c10::intrusive_ptr<c10d::Work> work;
  };
  using Transfer = c10::intrusive_ptr<c10d::Work> (c10d::Backend::*)(std::vector<at::Tensor>&, int, int);

  Pending Begin(c10d::Backend& backend, int peer, at::Tensor tensor, int tag, Transfer transfer) {
    std::vector<at::Tensor> tensors{tensor};
    try {
      return {peer, tensor, (backend.*transfer)(tensors, peer, tag)};
    } catch (const std::exception& error) {
      CheckOpen();
      throw roll_call_->Verdict(peer, "cannot be reached", FirstLine(error));
    }
  }

  void Keep(uint64_t id, Pending part) {
    const std::lock_guard lock(mutex_);
    pending_[id].push_back(std::move(part));
  }

  /// The sends and receives, or the sum, of operation `id`. They stay in pending_ until they are done, so that EndWaits
  /// finds them, and after a failure, since the transport may still write into their tensors.
  std::vector<Pending> Parts(uint64_t id) {
    CheckOpen();
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(id);
    return found == pending_.end() ? std::vector<Pending>{} : found->second;
  }

  /// Throws where the waits have been ended.
  void CheckOpen() {
    if (!is_over_) return;
    const std::lock_guard lock(mutex_);
    if (verdict_) throw PeerError(*verdict_);
    throw Error("the exchange of " + roll_call_->Name(rank()) + " was given up");
  }

  void EndWaits(std::optional<PeerError> verdict) {
    {
      const std::lock_guard lock(mutex_);
      if (!is_over_) verdict_ = std::move(verdict);
      is_over_ = true;
      for (auto& [id, parts] : pending_)
        for (Pending& part : parts)
          if (part.peer >= 0) part.work->abort();  // a sum's wait is cut into slices, between which it checks
    }
    connection_.Stop();
  }

  /// In a catch block.
  void FailToConnect() {
    try {
      throw;
    } catch (const PeerError& error) {
      EndWaits(error);
    } catch (const std::exception& error) {
      EndWaits(PeerError(-1, FirstLine(error)));
    }
  }

  c10d::AllreduceOptions LongSum() const {
    c10d::AllreduceOptions options;
    options.timeout = timeout_ + kGlooLater;
    return options;
  }

  /// Gloo's destructor waits for the sums that are under way, and they for a rank that does not answer. So it is never
  /// called where there are any: its threads, and what they write into, stay until the process ends.
  void AbandonSums() {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, parts] : pending_)
      for (const Pending& part : parts)
        if (part.peer < 0 && !part.work->isCompleted()) {
          new auto(connection_.backend());
          new auto(std::move(pending_));
          return;
        }
  }

  Ticket StartSum(const at::Tensor& tensor) {
    Ticket ticket{next_++, 0};
    connection_.Then([this, id = ticket.id, tensor](c10d::Backend& backend) {
      std::vector<at::Tensor> tensors{tensor};
      Keep(id, {-1, tensor, backend.allreduce(tensors, LongSum())});
    });
    // Gloo's ring: n - 1 chunks of 1/n on the way to the sums, and n - 1 on the way back.
    ticket.bytes_sent = 2 * static_cast<uint64_t>(size() - 1) * tensor.nbytes() / static_cast<uint64_t>(size());
    return ticket;
  }

  /// The watch ends waits that last too long: where Gloo does, it closes all connections, and who was to blame cannot
  /// be told any more.
  void Await(const Pending& part, const std::optional<BucketPlace>& place) {
    const Waiting waiting(*this, part.peer, place);
    try {
      part.peer < 0 ? AwaitSum(part) : void(part.work->wait(kForever));
      CheckOpen();  // an aborted wait ends like one that is over
    } catch (const std::exception& error) {
      CheckOpen();
      throw roll_call_->Verdict(part.peer >= 0 ? part.peer : FindCulprit(), "is gone", FirstLine(error));
    }
  }

  void AwaitSum(const Pending& part) {
    while (!part.work->isCompleted()) {
      CheckOpen();
      try {
        part.work->wait(kSlice);
      } catch (const std::exception&) {
        if (part.work->isCompleted()) throw;
      }
    }
    part.work->wait(kSlice);
  }

  struct Waiting {
    Waiting(C10dCollective& collective, int peer, const std::optional<BucketPlace>& of) : collective(collective) {
      collective.watch_.Enter();
      const std::lock_guard lock(collective.mutex_);
      place = collective.awaited_.emplace(peer, of);
    }
    ~Waiting() {
      collective.watch_.Leave();
      const std::lock_guard lock(collective.mutex_);
      collective.awaited_.erase(place);
    }
    C10dCollective& collective;
    std::multimap<int, std::optional<BucketPlace>>::iterator place;
  };

  /// On the watch's thread. A rank may wait for one that has failed and is still there, or waits itself: so waits also
  /// end when anyone has blamed a rank.
  void Tick(bool is_silent, milliseconds waited) {
    if (is_over_) return;
    if (!is_silent && notice_.IsDue(waited))
      SayOnStderr(roll_call_->Name(rank()) + " has waited " + Seconds(waited) + " for " + Awaited() +
                  "; it gives up after " + Seconds(timeout_) + " in which nothing comes");
    if (is_silent)
      EndWaits(roll_call_->Verdict(roll_call_->FindSilent(),
                                   "did not answer within " + std::to_string(timeout_.count()) + " ms",
                                   "no wait has ended meanwhile"));
    else if (roll_call_->Answer())
      EndWaits(roll_call_->Verdict(roll_call_->Blame(-1), "is gone", "another rank says so"));
  }

  /// "ranks 0, 2 (step 12, bucket 3)"
  std::string Awaited() {
    const std::lock_guard lock(mutex_);
    std::set<int> ranks;
    std::string what = name_;
    for (const auto& [peer, place] : awaited_) {
      if (peer >= 0) ranks.insert(peer);
      if (place) what = place->text();
    }
    const bool is_sum = awaited_.contains(-1);  // which does not say who is missing
    return (is_sum ? "the other ranks" : roll_call_->Names({ranks.begin(), ranks.end()})) + " (" + what + ")";
  }

  /// An all-reduce does not say who broke it. Gloo refuses at once to send to a peer whose connection is closed; where
  /// all are open, some rank is stuck.
  int FindCulprit() {
    const std::lock_guard lock(culprit_mutex_);
    CheckOpen();
    const Connection::Backend backend = connection_.backend();
    for (int peer = 0; backend && peer < size(); ++peer) {
      if (peer == rank()) continue;
      std::vector<at::Tensor> probe{at::zeros({1}, at::kByte)};
      try {
        probes_.push_back({peer, probe[0], backend->send(probe, peer, kProbeTag)});
      } catch (const std::exception&) {
        return peer;
      }
    }
    return roll_call_->FindMissing();
  }

  const Membership member_;
  const std::string name_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::shared_ptr<RollCall> roll_call_;
  milliseconds timeout_;
  uint64_t next_ = 0;
  std::map<std::string, size_t> made_;  // groups, by their keys
  std::atomic<bool> is_over_ = false;
  std::mutex mutex_;
  std::map<uint64_t, std::vector<Pending>> pending_;  // guarded by mutex_
  std::multimap<int, std::optional<BucketPlace>>
      awaited_;                       // by peer, -1 for sums, what waits are for; guarded by mutex_
  std::optional<PeerError> verdict_;  // why it is over; guarded by mutex_
  std::mutex culprit_mutex_;
  std::vector<Pending> probes_;  // guarded by culprit_mutex_
  Notice notice_;                // the watch's thread only
  Connection connection_;        // it and the watch use all of the above
  Watch watch_;
};

}  // namespace

std::unique_ptr<Collective> MakeC10dCollective(const Membership& member, const std::string& prefix) {
  return std::make_unique<C10dCollective>(member, prefix);
}

}  // namespace gradwire
