// SPDX-License-Identifier: Apache-2.0
#include "collective/simulated.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradwire {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

/// Ranks of which each sends some bytes to every other one, in an operation.
class Ranks {
 public:
  explicit Ranks(int size, const SimulatedFaults& faults = {}, uint64_t seed = 1)
      : simulation(seed, faults), collectives(MakeSimulatedCollectives(size, simulation)) {}

  struct Swap {
    Ticket ticket;
    std::vector<Bytes> sent, received;  // by peer
  };

  Swap& Start(int rank, size_t bytes, int mark = 0) {
    Swap& swap = swaps.emplace_back(std::make_unique<Swap>()).operator*();
    std::vector<Outgoing> outgoing;
    std::vector<Incoming> incoming;
    const int size = static_cast<int>(collectives.size());
    swap.sent.resize(collectives.size()), swap.received.resize(collectives.size());
    for (int peer = 0; peer < size; ++peer) {
      if (peer == rank) continue;
      swap.sent[static_cast<size_t>(peer)] = MessageOf(rank, peer, bytes, mark);
      swap.received[static_cast<size_t>(peer)].resize(bytes);
      outgoing.push_back({peer, swap.sent[static_cast<size_t>(peer)]});
      incoming.push_back({peer, swap.received[static_cast<size_t>(peer)]});
    }
    swap.ticket = At(rank).Start(outgoing, incoming);
    return swap;
  }

  static Bytes MessageOf(int from, int to, size_t bytes, int mark = 0) {
    return Bytes(bytes, static_cast<std::byte>(16 * from + to + 64 * mark));
  }

  SimulatedCollective& At(int rank) { return *collectives[static_cast<size_t>(rank)]; }
  void RunAll() {
    while (simulation.time.Next()) {
    }
  }

  Simulation simulation;
  std::vector<std::unique_ptr<SimulatedCollective>> collectives;
  std::vector<std::unique_ptr<Swap>> swaps;
};

int BlamedBy(SimulatedCollective& collective, const Ticket& ticket) {
  try {
    collective.Finish(ticket);
  } catch (const PeerError& error) {
    EXPECT_THAT(error.what(), HasSubstr("rank " + std::to_string(error.rank())));
    return error.rank();
  }
  return -1;
}

TEST(Simulated, MessagesComeWholeAndWaitsAreNeverBlocked) {
  Ranks ranks(3);
  std::vector<Ranks::Swap*> swaps;
  for (int rank = 0; rank < 3; ++rank) swaps.push_back(&ranks.Start(rank, 5));
  EXPECT_THROW(ranks.At(0).Finish(swaps[0]->ticket), WouldWait);
  int over = 0;
  ranks.At(0).WhenOver(swaps[0]->ticket.id, [&] { ++over; });
  ranks.RunAll();
  EXPECT_EQ(over, 1);
  EXPECT_EQ(swaps[0]->ticket.bytes_sent, 10u);
  for (int rank = 0; rank < 3; ++rank) {
    ranks.At(rank).Finish(swaps[static_cast<size_t>(rank)]->ticket);
    for (int peer = 0; peer < 3; ++peer)
      if (peer != rank)
        EXPECT_EQ(swaps[static_cast<size_t>(rank)]->received[static_cast<size_t>(peer)],
                  Ranks::MessageOf(peer, rank, 5));
  }
}

TEST(Simulated, SumsAndTextsAreTheSameAtAll) {
  Ranks ranks(3);
  std::vector<std::vector<double>> values = {{0.1, 1}, {0.2, 2}, {0.3, 3}};
  std::vector<Ticket> tickets;
  for (int rank = 0; rank < 3; ++rank) {
    tickets.push_back(ranks.At(rank).StartAllReduce(std::span(values[static_cast<size_t>(rank)])));
    EXPECT_THROW(ranks.At(rank).GatherText("first of " + std::to_string(rank)), WouldWait);
  }
  ranks.RunAll();
  for (int rank = 0; rank < 3; ++rank) {
    ranks.At(rank).Finish(tickets[static_cast<size_t>(rank)]);
    EXPECT_EQ(values[static_cast<size_t>(rank)], (std::vector<double>{0.1 + 0.2 + 0.3, 6}));
    EXPECT_EQ(ranks.At(rank).GatherText("called again"),
              (std::vector<std::string>{"first of 0", "first of 1", "first of 2"}));
  }
}

TEST(Simulated, ARankThatLeavesIsNamedByAll) {
  Ranks ranks(3);
  const Ticket zero = ranks.Start(0, 5).ticket, two = ranks.Start(2, 5).ticket;
  ranks.collectives[1].reset();
  ranks.RunAll();
  EXPECT_EQ(BlamedBy(ranks.At(0), zero), 1);
  EXPECT_EQ(BlamedBy(ranks.At(2), two), 1);
  EXPECT_LT(ranks.simulation.time.now(), 101);
}

/// Rank 0 waits for 1, which waits for the silent rank 2: 2 is to blame, also where the first one to lose patience has
/// nothing to do with it.
TEST(Simulated, ASilentRankIsNamedByWhoWaitsForSomebodyThatWaits) {
  Ranks ranks(3);
  const uint64_t first = ranks.At(0).Reserve();
  for (int rank = 1; rank < 3; ++rank) ranks.At(rank).Reserve();
  Bytes room(4), other(4);
  const std::vector<Incoming> of_one = {{1, room}}, of_two = {{2, other}};
  const Ticket zero = ranks.At(0).Start(first, {}, of_one);
  ranks.At(1).Start(first, {}, of_two);
  ranks.At(2).FallSilent();
  ranks.RunAll();
  EXPECT_EQ(BlamedBy(ranks.At(0), zero), 2);
  EXPECT_GE(ranks.simulation.time.now(), 100);
}

TEST(Simulated, GroupsOfRanksNumberTheirOwn) {
  Ranks ranks(3);
  const std::vector<int> members = {0, 2};
  const auto zero = ranks.At(0).MakeGroup(members, "pair"), two = ranks.At(2).MakeGroup(members, "pair");
  EXPECT_EQ(two->rank(), 1);
  EXPECT_EQ(two->size(), 2);
  const Bytes message(3, std::byte{7});
  Bytes room(3);
  const std::vector<Outgoing> out = {{1, message}};
  const std::vector<Incoming> in = {{0, room}};
  zero->Start(out, {});
  const Ticket ticket = two->Start({}, in);
  ranks.RunAll();
  two->Finish(ticket);
  EXPECT_EQ(room, message);
}

SimulatedFaults Always(double SimulatedFaults::*fault) {
  SimulatedFaults faults;
  faults.*fault = 1;
  return faults;
}

TEST(Simulated, MessagesAreCutFlippedRepeatedAndLost) {
  Ranks cut(2, Always(&SimulatedFaults::cut));
  cut.Start(1, 5);
  const Ticket is_cut = cut.Start(0, 5).ticket;
  cut.RunAll();
  EXPECT_EQ(BlamedBy(cut.At(0), is_cut), 1);

  Ranks flipped(2, Always(&SimulatedFaults::flip));
  flipped.Start(1, 5);
  const Ranks::Swap& flip = flipped.Start(0, 5);
  flipped.RunAll();
  flipped.At(0).Finish(flip.ticket);
  EXPECT_NE(flip.received[1], Ranks::MessageOf(1, 0, 5));
  ASSERT_EQ(flipped.simulation.happened.size(), 2u);

  Ranks repeated(2, Always(&SimulatedFaults::repeat));
  repeated.Start(1, 5), repeated.Start(0, 5);
  repeated.Start(1, 5, /*mark=*/1);
  const Ranks::Swap& repeat = repeated.Start(0, 5, /*mark=*/1);
  repeated.RunAll();
  repeated.At(0).Finish(repeat.ticket);
  EXPECT_EQ(repeat.received[1], Ranks::MessageOf(1, 0, 5)) << "the first one again";

  Ranks lost(2, Always(&SimulatedFaults::drop));
  lost.Start(1, 5);
  const Ticket is_lost = lost.Start(0, 5).ticket;
  lost.RunAll();
  EXPECT_EQ(BlamedBy(lost.At(0), is_lost), 1);
}

/// In which order messages come is the seed's.
TEST(Simulated, ASeedReplays) {
  const auto order = [](uint64_t seed) {
    Ranks ranks(4, {}, seed);
    std::string text;
    for (int rank = 0; rank < 4; ++rank)
      for (int i = 0; i < 3; ++i) {
        const Ticket ticket = ranks.Start(rank, 1).ticket;
        ranks.At(rank).WhenOver(ticket.id, [&text, rank, i] { text += std::to_string(10 * rank + i) + " "; });
      }
    ranks.RunAll();
    return text;
  };
  EXPECT_EQ(order(5), order(5));
  EXPECT_NE(order(5), order(6));
}

}  // namespace
}  // namespace gradwire
