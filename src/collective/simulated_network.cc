// SPDX-License-Identifier: Apache-2.0
#include "collective/simulated_network.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace gradwire {
namespace {

constexpr uint32_t kSlowOf = 16;      // one message of so many
constexpr double kSlowTimes = 30;     // takes so many times as long
constexpr uint64_t kLines = 1 << 20;  // more than there are between the ranks of a network

}  // namespace

std::string_view NameOf(Fault fault) {
  switch (fault) {
    case Fault::kDrop: return "drop";
    case Fault::kRepeat: return "repeat";
    case Fault::kCut: return "cut";
    case Fault::kCutMute: return "cut in silence";
    case Fault::kFlip: return "flip";
  }
  return "";
}

SimulatedNetwork::SimulatedNetwork(int size, Simulation& simulation, Group group)
    : simulation_(simulation),
      group_(std::move(group)),
      number_(simulation.networks++),
      ranks_(static_cast<size_t>(size)) {}

/// Exponential, with a tail: messages overtake each other often, and now and then whole rounds.
double SimulatedNetwork::Delay(Philox& random) const {
  const double times = random.Below(kSlowOf) == 0 ? kSlowTimes : 1;
  return -std::log1p(-random.Uniform()) * times * simulation_.faults.mean_delay_s;
}

bool SimulatedNetwork::Note(SimulatedFault fault, Fault kind) {
  fault.fault = kind;
  simulation_.happened.push_back(fault);
  return kind != Fault::kDrop;
}

bool SimulatedNetwork::Damage(Philox& random, const SimulatedFault& on, Line& line, Mail& mail) {
  const SimulatedFaults& faults = simulation_.faults;
  const std::vector<std::byte> sent = mail.bytes;
  const auto earlier = line.last.find(sent.size());
  const bool differs = earlier != line.last.end() && earlier->second != sent;
  double draw = random.Uniform();
  const auto is = [&draw](double probability) { return (draw -= probability) < 0; };
  bool comes = true;
  if (is(faults.drop)) {
    comes = Note(on, Fault::kDrop);
  } else if (is(faults.repeat)) {
    if (differs) mail.bytes = earlier->second, Note(on, Fault::kRepeat);
  } else if (is(faults.cut)) {
    mail.bytes.resize(random.Below(static_cast<uint32_t>(sent.size())));
    Note(on, Fault::kCut);
  } else if (is(faults.cut_mute)) {
    mail.bytes.resize(random.Below(static_cast<uint32_t>(sent.size())));
    mail.ends_mute = Note(on, Fault::kCutMute);
  } else if (is(faults.flip)) {
    mail.bytes[random.Below(static_cast<uint32_t>(sent.size()))] ^= std::byte(1u << random.Below(8));
    Note(on, Fault::kFlip);
  }
  line.last[sent.size()] = sent;
  return comes;
}

void SimulatedNetwork::Post(int from, int to, uint64_t operation, std::span<const std::byte> bytes, bool may_fail) {
  Line& line = lines_[{from, to}];
  const uint64_t name = number_ * kLines + static_cast<uint64_t>(from) * 1024 + static_cast<uint64_t>(to);
  Philox random(simulation_.seed, Purpose::kSynthetic, name, line.sent++);
  Mail mail{{bytes.begin(), bytes.end()}};
  if (may_fail && !bytes.empty() && !Damage(random, {Fault::kDrop, from, to, operation}, line, mail)) return;
  simulation_.time.After(Delay(random), [network = weak_from_this(), from, to, operation, mail = std::move(mail)] {
    const auto here = network.lock();
    if (!here || !here->At(to).is_here) return;
    here->At(to).mail[{from, operation}] = mail;
    here->Tell(to);
  });
}

const SimulatedNetwork::Mail* SimulatedNetwork::Find(int at, int from, uint64_t operation) const {
  const auto found = At(at).mail.find({from, operation});
  return found == At(at).mail.end() ? nullptr : &found->second;
}

void SimulatedNetwork::Take(int at, int from, uint64_t operation) {
  At(at).mail.erase({from, operation});
  At(at).taken = simulation_.time.now();
}

void SimulatedNetwork::Expect(int rank, uint64_t operation, const std::vector<int>& peers) {
  Wait& wait = At(rank).waits[operation];
  wait.peers.insert(wait.peers.end(), peers.begin(), peers.end());
  wait.since = simulation_.time.now();
  CheckSilence(rank, operation);
}

void SimulatedNetwork::Forget(int rank, uint64_t operation) { At(rank).waits.erase(operation); }

bool SimulatedNetwork::IsOver(int rank, uint64_t operation) const {
  const Rank& at = At(rank);
  const auto found = at.waits.find(operation);
  if (found == at.waits.end() || found->second.was_too_long) return true;
  const auto lacks = [&](int peer) { return Lacks(at, operation, peer); };
  const auto is_gone = [&](int peer) { return lacks(peer) && at.gone.contains(peer); };
  return std::ranges::none_of(found->second.peers, lacks) || std::ranges::any_of(found->second.peers, is_gone);
}

void SimulatedNetwork::WhenOver(int rank, uint64_t operation, std::function<void()> act) {
  At(rank).waits[operation].act = std::move(act);
  simulation_.time.After(0, [network = weak_from_this(), rank] {
    if (const auto here = network.lock()) here->Tell(rank);
  });
}

/// Whoever waits for what is over now. Acts may start and end other waits of the rank.
void SimulatedNetwork::Tell(int rank) {
  std::vector<uint64_t> over;
  for (const auto& [operation, wait] : At(rank).waits)
    if (wait.act && IsOver(rank, operation)) over.push_back(operation);
  for (const uint64_t operation : over) {
    const auto found = At(rank).waits.find(operation);
    if (found == At(rank).waits.end() || !found->second.act) continue;
    const std::function<void()> act = std::exchange(found->second.act, nullptr);
    act();
  }
}

/// Others' messages that come are no silence.
void SimulatedNetwork::CheckSilence(int rank, uint64_t operation) {
  const auto found = At(rank).waits.find(operation);
  if (found == At(rank).waits.end() || IsOver(rank, operation)) return;
  const double left =
      std::max(found->second.since, At(rank).taken) + simulation_.faults.timeout_s - simulation_.time.now();
  if (left <= 0) {
    found->second.was_too_long = true;
    return Tell(rank);
  }
  simulation_.time.After(left, [network = weak_from_this(), rank, operation] {
    if (const auto here = network.lock()) here->CheckSilence(rank, operation);
  });
}

/// Whom the rank waits for; nobody, or it does not say: empty.
std::set<int> SimulatedNetwork::AwaitedBy(int rank) const {
  std::set<int> peers;
  const Rank& at = At(rank);
  for (const auto& [operation, wait] : at.waits)
    for (const int peer : wait.peers)
      if (!at.is_silent && Lacks(at, operation, peer)) peers.insert(peer);
  return peers;
}

/// A rank that waits itself is not to blame: whom it waits for is, unless all wait for each other.
int SimulatedNetwork::SilentBehind(int peer) const {
  std::set<int> seen;
  for (std::vector<int> next = {peer}; !next.empty();) {
    const int rank = next.back();
    next.pop_back();
    if (!seen.insert(rank).second) continue;
    const std::set<int> behind = AwaitedBy(rank);
    if (behind.empty()) return rank;
    next.insert(next.end(), behind.begin(), behind.end());
  }
  return peer;
}

int SimulatedNetwork::Blame(int peer) {
  if (blamed_ < 0) blamed_ = peer;
  return blamed_;
}

PeerError SimulatedNetwork::Failure(int rank, uint64_t operation, int peer) {
  const auto is_missing_and_gone = [&](int other) {
    return Lacks(At(rank), operation, other) && At(rank).gone.contains(other);
  };
  const std::vector<int>& peers = At(rank).waits[operation].peers;
  const auto gone = std::ranges::find_if(peers, is_missing_and_gone);
  const bool is_gone = gone != peers.end();
  const int blamed = Blame(is_gone ? *gone : SilentBehind(peer));
  return {blamed, is_gone ? fmt::format("{} is gone (rank {} noticed, in operation {})", group_.NameRank(blamed), rank,
                                        operation)
                          : fmt::format("{} did not answer rank {} within {} s (blamed: rank {})",
                                        group_.NameRank(peer), rank, simulation_.faults.timeout_s, blamed)};
}

void SimulatedNetwork::Leave(int rank) {
  At(rank) = {};
  At(rank).is_here = false;
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank) continue;
    const uint64_t name = number_ * kLines + static_cast<uint64_t>(rank) * 1024 + static_cast<uint64_t>(peer);
    Philox random(simulation_.seed, Purpose::kSynthetic, name, ~uint64_t{0});
    simulation_.time.After(Delay(random), [network = weak_from_this(), rank, peer] {
      const auto here = network.lock();
      if (!here || !here->At(peer).is_here) return;
      here->At(peer).gone.insert(rank);
      here->Tell(peer);
    });
  }
}

std::shared_ptr<SimulatedNetwork> SimulatedNetwork::OfGroup(const std::string& key, size_t members, const Group& of) {
  auto& [network, came] = groups_[key];
  if (!network) network = std::make_shared<SimulatedNetwork>(static_cast<int>(members), simulation_, of);
  const auto made = network;
  if (++came == members) groups_.erase(key);
  return made;
}

}  // namespace gradwire
