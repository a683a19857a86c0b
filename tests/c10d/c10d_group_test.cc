// SPDX-License-Identifier: Apache-2.0
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "collective/group_laws.h"
#include "gradwire/c10d_group.h"

namespace gradwire {
namespace {

using testing::Ranks;

Ranks MakeRanks(int size, std::chrono::milliseconds timeout) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  Ranks ranks(static_cast<size_t>(size));
  testing::RunThreads(size, [&](int rank) {
    ranks[static_cast<size_t>(rank)] = MakeC10dCollective({store, rank, size, "127.0.0.1", timeout}, "test");
  });
  return ranks;
}

GRADWIRE_GROUP_CONFORMANCE(C10dGroup, MakeRanks)

/// Over a store of which a rank waits on one connection for what others still have to write, in any order.
TEST(C10dGroup, GroupsAreMadeInAnyOrderOverOneServer) {
  testing::GroupsAreMadeInAnyOrder([](int size, std::chrono::milliseconds timeout) {
    c10d::TCPStoreOptions options;
    options.isServer = true;
    options.waitWorkers = false;
    options.port = 0;
    std::vector<c10::intrusive_ptr<c10d::TCPStore>> stores = {
        c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options)};
    options.isServer = false;
    options.port = stores[0]->getPort();
    Ranks ranks(static_cast<size_t>(size));
    while (stores.size() < ranks.size()) stores.push_back(c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options));
    testing::RunThreads(size, [&](int rank) {
      const auto& store = stores[static_cast<size_t>(rank)];
      ranks[static_cast<size_t>(rank)] = MakeC10dCollective({store, rank, size, "127.0.0.1", timeout}, "test");
    });
    return ranks;
  });
}

/// Rank 2 is silent, rank 1 waits for it in one group, and rank 0 for rank 1 in another: rank 1 is not to blame.
TEST(C10dGroup, WhoWaitsInAnotherGroupIsNotBlamed) {
  std::latch over(3);
  testing::RunJob(MakeRanks, 3, std::chrono::milliseconds(1500), [&](Collective& job) {
    const auto of_two = testing::GroupOf(job, {0, 1}, "one"), other = testing::GroupOf(job, {1, 2}, "other");
    const auto wait = [](Collective& group) {
      testing::Round round(group, 10);
      round.FinishAndCheck();
    };
    std::string what;
    if (job.rank() == 0) what = testing::BlameOf(-1, [&] { wait(*of_two); });
    if (job.rank() == 1) what = testing::BlameOf(1, [&] { wait(*other); });
    const char* expected[] = {"one waits elsewhere", "rank 1 of other (rank 2 of the job)", ""};
    EXPECT_THAT(what, ::testing::HasSubstr(expected[job.rank()]));
    over.arrive_and_wait();
  });
}

}  // namespace
}  // namespace gradwire
