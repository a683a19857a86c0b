// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "collective/group.h"
#include "collective/simulated.h"

namespace gradwire {

/// What the ranks of one simulated job, or of one group, share: what has come for whom, who waits, and who is gone.
class SimulatedNetwork : public std::enable_shared_from_this<SimulatedNetwork> {
 public:
  struct Mail {
    std::vector<std::byte> bytes;
    bool ends_mute = false;  ///< shorter than it was sent, and nobody has noticed
  };

  SimulatedNetwork(int size, Simulation& simulation, Group group = {});

  int size() const { return static_cast<int>(ranks_.size()); }
  const Group& group() const { return group_; }

  /// On its way. `may_fail`: one of the simulation's faults may befall it.
  void Post(int from, int to, uint64_t operation, std::span<const std::byte> bytes, bool may_fail);
  /// What has come, or null. It stays until it is taken.
  const Mail* Find(int at, int from, uint64_t operation) const;
  void Take(int at, int from, uint64_t operation);

  /// Messages of these peers are awaited, from now on.
  void Expect(int rank, uint64_t operation, const std::vector<int>& peers);
  /// Whether all have come, or one of the missing is gone, or was silent for too long.
  bool IsOver(int rank, uint64_t operation) const;
  void WhenOver(int rank, uint64_t operation, std::function<void()> act);
  /// Nothing is awaited any more.
  void Forget(int rank, uint64_t operation);
  /// The error of a wait that is over without this peer's message.
  PeerError Failure(int rank, uint64_t operation, int peer);
  /// Who is blamed: this one, unless another one was before.
  int Blame(int peer);

  /// The rank says no more whether it waits.
  void FallSilent(int rank) { At(rank).is_silent = true; }
  /// The rank has destroyed its collective.
  void Leave(int rank);

  /// The network of a group, which its first member makes.
  std::shared_ptr<SimulatedNetwork> OfGroup(const std::string& key, size_t members, const Group& of);

 private:
  struct Wait {
    std::vector<int> peers;
    double since = 0;
    bool was_too_long = false;
    std::function<void()> act;
  };
  struct Rank {
    std::map<std::pair<int, uint64_t>, Mail> mail;  // by sender and operation
    std::map<uint64_t, Wait> waits;                 // by operation
    std::set<int> gone;                             // peers that it knows to be gone
    double taken = 0;                               // when it last took a message
    bool is_here = true, is_silent = false;
  };
  struct Line {
    uint64_t sent = 0;
    std::map<size_t, std::vector<std::byte>> last;  // message, by length
  };

  double Delay(Philox& random) const;
  /// False: it is lost.
  bool Damage(Philox& random, const SimulatedFault& on, Line& line, Mail& mail);
  bool Note(SimulatedFault fault, Fault kind);
  void Tell(int rank);
  void CheckSilence(int rank, uint64_t operation);
  std::set<int> AwaitedBy(int rank) const;
  int SilentBehind(int peer) const;
  bool Lacks(const Rank& at, uint64_t operation, int peer) const { return !at.mail.contains({peer, operation}); }
  Rank& At(int rank) { return ranks_[static_cast<size_t>(rank)]; }
  const Rank& At(int rank) const { return ranks_[static_cast<size_t>(rank)]; }

  Simulation& simulation_;
  const Group group_;
  const uint64_t number_;
  std::vector<Rank> ranks_;
  std::map<std::pair<int, int>, Line> lines_;  // by sender and receiver
  int blamed_ = -1;
  std::map<std::string, std::pair<std::shared_ptr<SimulatedNetwork>, size_t>> groups_;  // and how many members came
};

}  // namespace gradwire
