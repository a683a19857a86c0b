// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/error.h"

namespace gradwire {

/// Bytes for a peer, and room for exactly the bytes that a peer sends.
struct Outgoing {
  int peer;
  std::span<const std::byte> bytes;
};
struct Incoming {
  int peer;
  std::span<std::byte> bytes;
};

/// A bucket of a round, for messages to people.
struct BucketPlace {
  uint64_t step = 0;
  uint32_t channel = 0, bucket = 0;
  std::string text() const;  ///< "step 12, bucket 3"
};

/// A started operation. `bytes_sent`: what this rank hands to the transport for it. `place`: what it is for, where
/// whoever waits for it knows that.
struct Ticket {
  uint64_t id = 0;
  uint64_t bytes_sent = 0;
  std::optional<BucketPlace> place = {};
};

/// Moves bytes between the ranks of one job. All ranks start the same operations, in the same order unless reserved.
/// Buffers belong to the operation from Start* until its Finish returns.
///
/// Threads: one at a time for all but Finish and Cancel. Finish may be called by others meanwhile, each with a ticket
/// of its own, and Cancel by any.
///
/// Every wait ends within the timeout given at construction, or that long after another wait of this rank has ended:
/// many messages may be awaited together over a slow link. A failure throws PeerError that names the rank to blame, and
/// tells the other ranks, so that they name the same rank; afterwards the collective can only be destroyed.
class Collective {
 public:
  virtual ~Collective() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// The id of an operation that starts later. All ranks reserve in the same order, and may then start in any.
  virtual uint64_t Reserve() = 0;
  /// Starts sending and receiving; returns without waiting for peers. No transfer is to or from this rank itself.
  /// Called twice with the same id where what comes in is known later than what goes out; one Finish waits for both.
  virtual Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) = 0;
  Ticket Start(std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) {
    return Start(Reserve(), outgoing, incoming);
  }
  /// Starts summing `values` (the same length on every rank) over all ranks, in place, the same bits on every rank.
  virtual Ticket StartAllReduce(std::span<float> values) = 0;
  virtual Ticket StartAllReduce(std::span<double> values) = 0;
  /// Waits until the operation is complete. Tickets may be finished in any order, each once.
  virtual void Finish(const Ticket& ticket) = 0;
  /// Ends every Finish, under way or to come, with an Error, within about a second. Afterwards it can only be
  /// destroyed.
  virtual void Cancel() = 0;

  /// Every rank's text, by rank. For agreeing on settings at start, not for data.
  virtual std::vector<std::string> GatherText(std::string_view text) = 0;

  /// A collective over some of these ranks: `ranks`, ascending, this one among them; their places in it are their ranks
  /// there. Its members alone call this, in any order beside other groups, and wait for nobody; those that make several
  /// of the same ranks and name make them in the same order. `name` is for errors: "box 0".
  ///
  /// It lives and fails by itself: its operations meet no others, a failure in it ends no other group and not this
  /// collective, and it may outlive this one. Its errors carry ranks of the group, and say those of the job as well;
  /// where its members wait for a rank outside of it, they name nobody.
  virtual std::unique_ptr<Collective> MakeGroup(std::span<const int> ranks, const std::string& name);

  /// The error to throw where something else that needs all ranks has failed with `detail`, which does not say who is
  /// to blame. Takes seconds.
  virtual PeerError Diagnose(const std::string& detail) { return {-1, detail}; }
};

inline std::unique_ptr<Collective> Collective::MakeGroup(std::span<const int>, const std::string& name) {
  throw Error("the group " + name + ": this collective makes none");
}

}  // namespace gradwire
