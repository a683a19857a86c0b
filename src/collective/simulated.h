// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "collective/simulated_time.h"
#include "gradwire/collective.h"
#include "gradwire/error.h"

namespace gradwire {

/// What befalls a message between two ranks, which a transport may or may not keep from its users.
enum class Fault {
  kDrop,     ///< it never comes
  kRepeat,   ///< an earlier one of the same length between the same two comes in its place
  kCut,      ///< it ends early, and the transport says so
  kCutMute,  ///< it ends early, and what is missing stays as the receiver's memory was
  kFlip      ///< one bit is another
};
std::string_view NameOf(Fault fault);

/// How often, as probabilities of a message between two. Sums and texts come as they were sent: a transport such as TCP
/// loses, repeats and damages nothing, and only messages carry what is needed to find out that one did.
struct SimulatedFaults {
  double drop = 0, repeat = 0, cut = 0, cut_mute = 0, flip = 0;
  double mean_delay_s = 1e-3;  ///< of a message; one of sixteen takes 30 times as long
  double timeout_s = 100;      ///< of silence
};

/// A fault that there was. Those that left the message as it was (a repeat of equal bytes) are none.
struct SimulatedFault {
  Fault fault;
  int sender, receiver;
  uint64_t operation;
};

/// A call that would have to wait for a peer. Call it again when `operation` is over (SimulatedCollective::WhenOver).
class WouldWait : public Error {
 public:
  explicit WouldWait(uint64_t operation)
      : Error("the simulated collective waits for nobody: call again when the operation is over"),
        operation(operation) {}
  const uint64_t operation;
};

/// A rank of a simulated job or group. No call waits: Finish and GatherText throw WouldWait where others would. A rank
/// whose collective is destroyed is dead to the others, after a delay; one that does nothing more is silent. Silence
/// ends waits after the timeout, and blames who does not wait itself.
class SimulatedCollective : public Collective {
 public:
  /// `act` happens as soon as Finish of that operation would end, with or without an error. Once; forgotten with this.
  virtual void WhenOver(uint64_t operation, std::function<void()> act) = 0;
  /// The rank does nothing more, as one that was stopped: it no longer answers who is asked whether it waits.
  virtual void FallSilent() = 0;
};

/// What the ranks of a simulation have in common: the clock, what befalls them, and what has befallen them.
struct Simulation {
  Simulation(uint64_t seed, const SimulatedFaults& faults) : seed(seed), faults(faults) {}
  const uint64_t seed;
  const SimulatedFaults faults;
  SimulatedTime time;
  std::vector<SimulatedFault> happened;
  uint64_t networks = 0;  ///< jobs and groups so far: each has random bits of its own
};

/// n ranks of one thread: all that happens follows from the simulation's seed and from what they are asked to do.
/// `simulation` outlives them. Groups (Collective::MakeGroup) are SimulatedCollectives as well.
std::vector<std::unique_ptr<SimulatedCollective>> MakeSimulatedCollectives(int size, Simulation& simulation);

}  // namespace gradwire
