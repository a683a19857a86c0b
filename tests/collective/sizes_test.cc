// SPDX-License-Identifier: Apache-2.0
// Ranks that disagree about the size of a message, or of an all-reduce: an error, the same rank to blame, no stray
// bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

/// Whom each rank blames, and why; -1 where `act` succeeds.
struct Blame {
  int rank = -1;
  std::string what;
};

std::vector<Blame> Blames(int size, const std::function<void(Collective&)>& act) {
  std::vector<Blame> blames(static_cast<size_t>(size));
  testing::RunRanks(size, [&](Collective& collective) {
    try {
      act(collective);
      collective.GatherText("done");  // waits for those that fail
    } catch (const PeerError& error) {
      blames[static_cast<size_t>(collective.rank())] = {error.rank(), error.what()};
    }
  });
  return blames;
}

TEST(ThreadCollectiveSizes, OfMessagesAreCompared) {
  for (const size_t sent : {0, 99, 101}) {
    const std::vector<Blame> blames = Blames(3, [&](Collective& collective) {
      std::vector<std::byte> out(collective.rank() == 1 ? sent : 100), in(100);
      const Outgoing outgoing{(collective.rank() + 2) % 3, out};  // a ring downwards: rank 0 receives from rank 1
      const Incoming incoming{(collective.rank() + 1) % 3, in};
      collective.Finish(collective.Start({&outgoing, 1}, {&incoming, 1}));
    });
    for (const Blame& blame : blames) EXPECT_EQ(blame.rank, 1) << blame.what;
    EXPECT_THAT(blames[0].what, HasSubstr("rank 1 sent " + std::to_string(sent) + " bytes, rank 0 expected 100"));
  }
}

TEST(ThreadCollectiveSizes, OfAllReducesAreCompared) {
  for (const size_t summed : {0, 9, 11}) {
    const std::vector<Blame> blames = Blames(2, [&](Collective& collective) {
      std::vector<float> values(collective.rank() == 1 ? summed : 10);
      collective.Finish(collective.StartAllReduce(std::span(values)));
    });
    EXPECT_GE(blames[0].rank, 0);
    EXPECT_EQ(blames[0].rank, blames[1].rank);
    EXPECT_THAT(blames[0].what, HasSubstr("rank 1 sent " + std::to_string(4 * summed) + " bytes, rank 0 expected 40"));
  }
}

}  // namespace
}  // namespace gradwire
