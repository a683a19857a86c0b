// SPDX-License-Identifier: Apache-2.0
#include "averaging/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradwire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Registry, HasMembersUntilTheirTimeIsOver) {
  double now = 100;
  const auto registry = MakeMemoryRegistry([&] { return now; });
  registry->Announce("a", 7, 10);
  registry->Announce("a", 3, 5);
  registry->Announce("b", 1, 10);
  EXPECT_THAT(registry->Members("a"), ElementsAre(3, 7));
  now = 104.9;
  EXPECT_THAT(registry->Members("a"), ElementsAre(3, 7));
  now = 105;
  EXPECT_THAT(registry->Members("a"), ElementsAre(7)) << "3 has not announced itself again";
  EXPECT_THAT(registry->Members("b"), ElementsAre(1));
  now = 110;
  EXPECT_THAT(registry->Members("a"), IsEmpty());
  EXPECT_THAT(registry->Members("c"), IsEmpty());
}

TEST(Registry, GivesWhoAnnouncesItselfAgainTheNewTimeAlone) {
  double now = 0;
  const auto registry = MakeMemoryRegistry([&] { return now; });
  registry->Announce("a", 7, 10);
  now = 6;
  registry->Announce("a", 7, 10);
  now = 15.5;
  EXPECT_THAT(registry->Members("a"), ElementsAre(7));
  registry->Announce("a", 7, 1);
  now = 16.5;
  EXPECT_THAT(registry->Members("a"), IsEmpty()) << "it may also leave earlier";
}

TEST(Registry, SweepsNobodyWhoseTimeIsNotOver) {
  double now = 0;
  const auto registry = MakeMemoryRegistry([&] { return now; });
  registry->Announce("a", 1, 1);
  registry->Announce("a", 2, 100);
  now = 50;
  registry->Announce("b", 3, 1);  // long after the shortest time
  EXPECT_THAT(registry->Members("a"), ElementsAre(2));
  EXPECT_THAT(registry->Members("b"), ElementsAre(3));
}

TEST(Registry, CountsRequestsAndTheirBytes) {
  const auto registry = MakeMemoryRegistry([] { return 0.0; });
  registry->Announce("key", 1, 1);
  registry->Announce("key", 2, 1);
  registry->Members("key");
  EXPECT_EQ(registry->stats().requests, 3u);
  EXPECT_EQ(registry->stats().bytes, 2 * (3 + 12) + 3 + 2 * 12u) << "a key of 3 bytes, members of 12";
}

}  // namespace
}  // namespace gradwire
