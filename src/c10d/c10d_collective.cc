// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "c10d/roll_call.h"
#include "gradwire/c10d_group.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Ranks that an all-reduce kept waiting give each other this long to report.
constexpr milliseconds kPatience{5000};
constexpr milliseconds kSlice{1000};
constexpr int kProbeTag = 1 << 30;  // messages have smaller tags

template <typename T>
at::Tensor View(std::span<T> values, at::ScalarType type) {
  return at::from_blob(const_cast<std::remove_const_t<T>*>(values.data()), {static_cast<int64_t>(values.size())}, type);
}

class C10dCollective final : public Collective {
 public:
  C10dCollective(const Membership& member, const std::string& prefix)
      : backend_(MakeGlooBackend(member, prefix + "/gloo")),
        store_(c10::make_intrusive<c10d::PrefixStore>(prefix, member.store)),
        roll_call_(member.store, member.rank, member.size),
        timeout_(member.timeout) {}

  int rank() const override { return backend_->getRank(); }
  int size() const override { return backend_->getSize(); }

  using Collective::Start;
  uint64_t Reserve() override { return next_++; }

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    Ticket ticket{id, 0};
    const int tag = static_cast<int>(ticket.id % (1u << 30));
    for (const Incoming& message : incoming)
      Keep(id, Begin(message.peer, View(message.bytes, at::kByte), tag, &c10d::Backend::recv));
    for (const Outgoing& message : outgoing) {
      Keep(id, Begin(message.peer, View(message.bytes, at::kByte), tag, &c10d::Backend::send));
      ticket.bytes_sent += message.bytes.size();
    }
    return ticket;
  }

  Ticket StartAllReduce(std::span<float> values) override { return StartSum(View(values, at::kFloat)); }
  Ticket StartAllReduce(std::span<double> values) override { return StartSum(View(values, at::kDouble)); }

  void Finish(const Ticket& ticket) override {
    const auto end = Clock::now() + timeout_;
    for (const Pending& part : Parts(ticket.id)) Await(part, end);
    const std::lock_guard lock(mutex_);
    pending_.erase(ticket.id);
  }

  void Cancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    for (auto& [id, parts] : pending_)
      for (Pending& part : parts)
        if (part.peer >= 0) part.work->abort();  // a sum's wait is cut into slices, and looks
  }

  std::vector<std::string> GatherText(std::string_view text) override {
    const std::string key = "text/" + std::to_string(next_++) + "/";
    store_->set(key + std::to_string(rank()), std::vector<uint8_t>(text.begin(), text.end()));
    std::vector<std::string> texts;
    for (int peer = 0; peer < size(); ++peer) {
      try {
        store_->wait({key + std::to_string(peer)}, timeout_);
        const std::vector<uint8_t> bytes = store_->get(key + std::to_string(peer));
        texts.emplace_back(bytes.begin(), bytes.end());
      } catch (const std::exception& error) {
        Fail(peer, "did not state its settings within " + std::to_string(timeout_.count()) + " ms", error.what());
      }
    }
    return texts;
  }

 private:
  struct Pending {
    int peer;  // -1: all of them
    at::Tensor tensor;
    c10::intrusive_ptr<c10d::Work> work;
  };
  using Transfer = c10::intrusive_ptr<c10d::Work> (c10d::Backend::*)(std::vector<at::Tensor>&, int, int);

  Pending Begin(int peer, at::Tensor tensor, int tag, Transfer transfer) {
    std::vector<at::Tensor> tensors{tensor};
    try {
      return {peer, tensor, ((*backend_).*transfer)(tensors, peer, tag)};
    } catch (const std::exception& error) {
      Fail(peer, "cannot be reached", error.what());
    }
  }

  void Keep(uint64_t id, Pending part) {
    const std::lock_guard lock(mutex_);
    pending_[id].push_back(std::move(part));
  }

  /// They stay among the pending until they are done, for Cancel; and after a failure, since the transport may still
  /// write.
  std::vector<Pending> Parts(uint64_t id) {
    const std::lock_guard lock(mutex_);
    CheckNotCancelled();
    const auto found = pending_.find(id);
    return found == pending_.end() ? std::vector<Pending>{} : found->second;
  }

  void CheckNotCancelled() const {
    if (cancelled_) throw Error("the exchange of rank " + std::to_string(rank()) + " was given up");
  }

  Ticket StartSum(const at::Tensor& tensor) {
    Ticket ticket{next_++, 0};
    std::vector<at::Tensor> tensors{tensor};
    Keep(ticket.id, {-1, tensor, backend_->allreduce(tensors)});
    // Gloo's ring: n - 1 chunks of 1/n on the way to the sums, and n - 1 on the way back.
    ticket.bytes_sent = 2 * static_cast<uint64_t>(size() - 1) * tensor.nbytes() / static_cast<uint64_t>(size());
    return ticket;
  }

  void Await(const Pending& part, Clock::time_point end) {
    try {
      if (part.peer < 0) AwaitSum(part, end);
      part.work->wait(Left(end));
      CheckNotCancelled();  // an aborted wait ends like one that is over
    } catch (const std::exception& error) {
      CheckNotCancelled();
      const bool late = Clock::now() >= end;
      const std::string what = late ? "did not answer within " + std::to_string(timeout_.count()) + " ms" : "is gone";
      Fail(part.peer >= 0 ? part.peer : FindCulprit(), what, error.what());
    }
  }

  static milliseconds Left(Clock::time_point end) {
    return std::max(std::chrono::duration_cast<milliseconds>(end - Clock::now()), milliseconds(1));
  }

  /// In a ring a rank may wait for a neighbour that has failed and is still there: so a wait is cut into slices, and
  /// ends when anyone has blamed a rank. (Only an all-reduce's wait can be taken up again: after the others' timeout
  /// Gloo closes the connections.) Returns when the operation is complete, or its time is over.
  void AwaitSum(const Pending& part, Clock::time_point end) {
    while (!part.work->isCompleted() && Clock::now() < end) {
      CheckNotCancelled();
      try {
        part.work->wait(std::min(kSlice, Left(end)));
      } catch (const std::exception&) {
        if (part.work->isCompleted() || roll_call_.SomeoneIsBlamed()) throw;
      }
    }
  }

  /// An all-reduce does not say who broke it. Gloo refuses at once to send to a peer whose connection is closed; where
  /// all are open, some rank is stuck.
  int FindCulprit() {
    const std::lock_guard lock(culprit_mutex_);
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      std::vector<at::Tensor> probe{at::zeros({1}, at::kByte)};
      try {
        probes_.push_back({peer, probe[0], backend_->send(probe, peer, kProbeTag)});
      } catch (const std::exception&) {
        return peer;
      }
    }
    return roll_call_.FindMissing(kPatience);
  }

  [[noreturn]] void Fail(int suspect, const std::string& what, const std::string& detail) {
    const int blamed = suspect >= 0 ? roll_call_.Blame(suspect) : suspect;
    const std::string who = blamed < 0 ? "a rank (all of them still report)" : "rank " + std::to_string(blamed);
    const std::string more = blamed == suspect ? "" : "; it was noticed first by another rank";
    throw PeerError(blamed, who + " " + what + ", says rank " + std::to_string(rank()) + more + " (" + detail + ")");
  }

  c10::intrusive_ptr<c10d::Backend> backend_;
  c10::intrusive_ptr<c10d::Store> store_;
  RollCall roll_call_;
  milliseconds timeout_;
  uint64_t next_ = 0;
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  std::map<uint64_t, std::vector<Pending>> pending_;  // guarded by mutex_
  std::mutex culprit_mutex_;
  std::vector<Pending> probes_;  // guarded by culprit_mutex_
};

}  // namespace

std::unique_ptr<Collective> MakeC10dCollective(const Membership& member, const std::string& prefix) {
  return std::make_unique<C10dCollective>(member, prefix);
}

}  // namespace gradwire
