// SPDX-License-Identifier: Apache-2.0
#include "collective/simulated.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>

#include <fmt/format.h>

#include "collective/group.h"
#include "collective/simulated_network.h"

namespace gradwire {
namespace {

class SimulatedRank final : public SimulatedCollective {
 public:
  SimulatedRank(std::shared_ptr<SimulatedNetwork> network, int rank) : network_(std::move(network)), rank_(rank) {}
  ~SimulatedRank() override { network_->Leave(rank_); }
  SimulatedRank(const SimulatedRank&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return network_->size(); }

  using Collective::Start;
  uint64_t Reserve() override { return next_++; }

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    Ticket ticket{id, 0};
    for (const Outgoing& message : outgoing) {
      network_->Post(rank_, message.peer, id, message.bytes, /*may_fail=*/true);
      ticket.bytes_sent += message.bytes.size();
    }
    std::vector<int> peers;
    for (const Incoming& message : incoming) peers.push_back(message.peer);
    network_->Expect(rank_, id, peers);
    pending_[id].push_back([this, id, wanted = std::vector<Incoming>(incoming.begin(), incoming.end())] {
      for (const Incoming& message : wanted) Receive(message, id);
    });
    return ticket;
  }

  Ticket StartAllReduce(std::span<float> values) override { return StartSum(values); }
  Ticket StartAllReduce(std::span<double> values) override { return StartSum(values); }

  void Finish(const Ticket& ticket) override {
    if (cancelled_) throw Error(fmt::format("the exchange of {} was given up", Name(rank_)));
    const auto found = pending_.find(ticket.id);
    if (found == pending_.end()) return;
    if (!network_->IsOver(rank_, ticket.id)) throw WouldWait(ticket.id);
    const auto parts = std::move(found->second);
    pending_.erase(found);
    for (const auto& part : parts) part();
    network_->Forget(rank_, ticket.id);
  }

  void WhenOver(uint64_t operation, std::function<void()> act) override {
    network_->WhenOver(rank_, operation, std::move(act));
  }

  void FallSilent() override { network_->FallSilent(rank_); }

  void Cancel() override { cancelled_ = true; }

  std::vector<std::string> GatherText(std::string_view text) override {
    if (!gathering_) {
      gathering_.emplace(next_++, text);
      for (const int peer : Peers())
        network_->Post(rank_, peer, gathering_->first, std::as_bytes(std::span(text)), /*may_fail=*/false);
      network_->Expect(rank_, gathering_->first, Peers());
    }
    const uint64_t id = gathering_->first;
    if (!network_->IsOver(rank_, id)) throw WouldWait(id);
    std::vector<std::string> texts(static_cast<size_t>(size()));
    for (const int peer : Peers()) {
      const auto& bytes = Mail(peer, id).bytes;
      texts[static_cast<size_t>(peer)].assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    for (const int peer : Peers()) network_->Take(rank_, peer, id);
    network_->Forget(rank_, id);
    texts[static_cast<size_t>(rank_)] = gathering_->second;  // as it was posted: the same at all, called again or not
    gathering_.reset();
    return texts;
  }

  std::unique_ptr<Collective> MakeGroup(std::span<const int> ranks, const std::string& name) override {
    const Group group = network_->group().Narrow(ranks, size(), rank_, name);
    const std::string key = GroupKey(ranks, name, made_[GroupKey(ranks, name, 0)]++);
    return std::make_unique<SimulatedRank>(network_->OfGroup(key, ranks.size(), group), PlaceOf(rank_, ranks));
  }

 private:
  std::string Name(int rank) const { return network_->group().NameRank(rank); }

  std::vector<int> Peers() const {
    std::vector<int> peers;
    for (int peer = 0; peer < size(); ++peer)
      if (peer != rank_) peers.push_back(peer);
    return peers;
  }

  const SimulatedNetwork::Mail& Mail(int peer, uint64_t id) {
    const SimulatedNetwork::Mail* mail = network_->Find(rank_, peer, id);
    if (mail == nullptr) throw network_->Failure(rank_, id, peer);
    return *mail;
  }

  void Receive(const Incoming& message, uint64_t id) {
    const SimulatedNetwork::Mail& mail = Mail(message.peer, id);
    const bool fits =
        mail.ends_mute ? mail.bytes.size() <= message.bytes.size() : mail.bytes.size() == message.bytes.size();
    if (!fits)
      throw PeerError(network_->Blame(message.peer),
                      fmt::format("{} sent {} bytes, rank {} expected {}", Name(message.peer), mail.bytes.size(), rank_,
                                  message.bytes.size()));
    std::ranges::copy(mail.bytes, message.bytes.begin());
    network_->Take(rank_, message.peer, id);
  }

  /// Every rank sends its values to every other one and sums all of them in rank order.
  template <typename T>
  Ticket StartSum(std::span<T> values) {
    const Ticket ticket{next_++, values.size_bytes() * static_cast<size_t>(size() - 1)};
    for (const int peer : Peers()) network_->Post(rank_, peer, ticket.id, std::as_bytes(values), /*may_fail=*/false);
    network_->Expect(rank_, ticket.id, Peers());
    pending_[ticket.id].push_back([this, id = ticket.id, values] {
      const std::vector<T> own(values.begin(), values.end());
      std::vector<T> theirs(values.size()), sum(values.size());
      for (int peer = 0; peer < size(); ++peer) {
        if (peer != rank_) Receive({peer, std::as_writable_bytes(std::span(theirs))}, id);
        const std::vector<T>& term = peer == rank_ ? own : theirs;
        for (size_t i = 0; i < sum.size(); ++i) sum[i] = peer == 0 ? term[i] : sum[i] + term[i];
      }
      std::ranges::copy(sum, values.begin());
    });
    return ticket;
  }

  const std::shared_ptr<SimulatedNetwork> network_;
  const int rank_;
  uint64_t next_ = 0;
  bool cancelled_ = false;
  std::map<std::string, size_t> made_;                              // groups, by their keys
  std::optional<std::pair<uint64_t, std::string>> gathering_;       // what was posted, until all have come
  std::map<uint64_t, std::vector<std::function<void()>>> pending_;  // what Finish does, by operation
};

}  // namespace

std::vector<std::unique_ptr<SimulatedCollective>> MakeSimulatedCollectives(int size, Simulation& simulation) {
  const auto network = std::make_shared<SimulatedNetwork>(size, simulation);
  std::vector<std::unique_ptr<SimulatedCollective>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<SimulatedRank>(network, rank));
  return ranks;
}

}  // namespace gradwire
