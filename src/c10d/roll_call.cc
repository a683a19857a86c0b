// SPDX-License-Identifier: Apache-2.0
#include "c10d/roll_call.h"

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "c10d/store_layers.h"

namespace gradwire {
namespace {

using std::chrono::milliseconds;

constexpr const char *kDead = "dead", *kCalled = "called";
constexpr milliseconds kAnswer{5000};  // the longest wait for the store where a verdict is due

/// A waiting rank looks once a second, or four times a timeout (watch.cc, setup_wait.cc).
milliseconds FiveLooks(milliseconds timeout) { return 5 * std::min(milliseconds(1000), timeout / 4); }

std::string Reported(int rank) { return "reported/" + std::to_string(rank); }

/// A connection beside that of the job's store. The same for all roll calls of the process while the store lives: a
/// connection asks for the name of the server's host, which can take a second.
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
  const auto own = OtherConnection(member, base, limit);
  if (!own) return Bounded(member, base, limit);
  all.emplace(std::pair(base.get(), member.rank), Connection{c10::weak_intrusive_ptr<c10d::Store>(base), own});
  return own;
}

c10::intrusive_ptr<c10d::Store> Connect(const Membership& member) {
  std::vector<std::string> prefixes;
  const auto base = BaseOf(member.store, prefixes);
  const auto store = WithPrefixes(OwnConnection(member, base), prefixes);
  return c10::make_intrusive<c10d::PrefixStore>("gradwire/roll_call", store);
}

}  // namespace

/// All roll calls of one rank of the job: of the whole job, and of its groups.
struct RollCall::Family {
  std::mutex mutex;
  std::vector<std::weak_ptr<RollCall>> members;

  void Add(const std::shared_ptr<RollCall>& one) {
    const std::lock_guard lock(mutex);
    std::erase_if(members, [](const auto& member) { return member.expired(); });
    members.push_back(one);
  }
  std::vector<std::shared_ptr<RollCall>> Alive() {
    const std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<RollCall>> alive;
    for (const auto& member : members)
      if (auto one = member.lock()) alive.push_back(std::move(one));
    return alive;
  }
};

RollCall::RollCall(const Membership& member)
    : job_store_(member.store),
      store_(Connect(member)),
      rank_(member.rank),
      size_(member.size),
      store_rank_(member.store_rank),
      patience_(FiveLooks(member.timeout)),
      family_(std::make_shared<Family>()) {}

RollCall::RollCall(const RollCall& of, const Membership& member, Group group, const std::string& key)
    : job_store_(member.store),
      store_(c10::make_intrusive<c10d::PrefixStore>(key, of.store_)),
      rank_(member.rank),
      size_(member.size),
      store_rank_(member.store_rank),
      patience_(FiveLooks(member.timeout)),
      group_(std::move(group)),
      family_(of.family_) {}

std::shared_ptr<RollCall> RollCall::OfGroup(const Membership& member, Group group, const std::string& key) {
  const auto made = std::shared_ptr<RollCall>(new RollCall(*this, member, std::move(group), key));
  family_->Add(made);
  return made;
}

int RollCall::Blame(int suspect) {
  try {
    const std::string mine = std::to_string(suspect);
    const auto first =
        store_->compareSet(kDead, std::vector<uint8_t>{}, std::vector<uint8_t>(mine.begin(), mine.end()));
    Mark(kCalled);  // ranks that wait poll this key, and then ask for the blame
    return std::stoi(std::string(first.begin(), first.end()));
  } catch (const StoreSilent&) {
    return store_rank_ >= 0 && store_rank_ != rank_ ? store_rank_ : suspect;
  } catch (const std::exception&) {
    return suspect;
  }
}

void RollCall::Report() {
  try {
    if (Has(kCalled)) Mark(Reported(rank_));
  } catch (const std::exception&) {  // whoever asks the store for a verdict finds out
  }
}

void RollCall::ReportElsewhere() {
  for (const auto& other : family_->Alive())
    if (other.get() != this) other->Report();
}

bool RollCall::Answer() {
  ReportElsewhere();
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
    int looks = 0;
    for (int rank = 0; rank < size_; ++rank) {
      while (!Has(Reported(rank))) {
        if (Has(kDead)) return Blame(-1);
        if (std::chrono::steady_clock::now() > end) return Blame(rank);
        if (looks++ % 20 == 0) ReportElsewhere();  // who asks is waiting
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
    return {-1, "this rank, " + (group_.is_job() ? std::to_string(rank_) : Name(rank_)) +
                    ", was given up by another one, which had not heard of it in time; was it stopped, or much slower "
                    "than the others?" +
                    because};
  const std::string nobody = group_.is_job()
                                 ? "a rank (all of them still report) "
                                 : "a rank of " + group_.name + " (all of them still report; one waits elsewhere) ";
  if (blamed < 0) return {blamed, nobody + what + end + because};
  const std::string more = blamed == suspect ? "" : "; it was noticed first by another rank";
  return {blamed, Name(blamed) + " " + what + end + more + because};
}

std::shared_ptr<RollCall> RollCallOf(const Membership& member) {
  static std::mutex mutex;
  static std::map<std::pair<const c10d::Store*, int>, std::weak_ptr<RollCall>> all;  // ranks may be threads
  const std::lock_guard lock(mutex);
  std::weak_ptr<RollCall>& known = all[{member.store.get(), member.rank}];
  auto roll_call = known.lock();
  if (!roll_call) {
    known = roll_call = std::make_shared<RollCall>(member);
    roll_call->family_->Add(roll_call);
  }
  return roll_call;
}

}  // namespace gradwire
