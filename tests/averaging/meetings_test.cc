// SPDX-License-Identifier: Apache-2.0
#include "averaging/meetings.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Rule {
  std::string name;
  std::unique_ptr<Meetings> (*make)(size_t peers, uint64_t seed, Registry& registry);
};

const std::vector<Rule>& Rules() {
  static const std::vector<Rule> rules = {
      {"one", [](size_t n, uint64_t, Registry&) { return MakeOneGroup(n); }},
      {"random", [](size_t n, uint64_t seed, Registry&) { return MakeRandomGroups(n, 4, seed); }},
      {"pairs", [](size_t n, uint64_t seed, Registry&) { return MakePairs(n, seed); }},
      {"grid", [](size_t n, uint64_t seed, Registry&) { return MakeGrid(n, 4, 3, seed); }},
      {"moshpit", [](size_t n, uint64_t seed, Registry& r) { return MakeMoshpit(n, 4, 3, seed, r, 2); }}};
  return rules;
}

TEST(Meetings, PutEachPeerIntoOneGroupInEveryRoundAlikeForASeed) {
  for (const Rule& rule : Rules())
    for (const size_t peers : {1, 2, 3, 5, 16, 31, 64}) {
      double now = 0;
      const auto one = MakeMemoryRegistry([&] { return now; }), other = MakeMemoryRegistry([&] { return now; });
      const auto meetings = rule.make(peers, 7, *one), again = rule.make(peers, 7, *other);
      for (int round = 0; round < 7; ++round, ++now) {
        std::vector<uint32_t> all;
        const std::vector<Group> groups = meetings->Next();
        for (const Group& group : groups) {
          EXPECT_TRUE(!group.empty() && std::ranges::is_sorted(group)) << rule.name;
          all.insert(all.end(), group.begin(), group.end());
        }
        std::ranges::sort(all);
        ASSERT_EQ(all.size(), peers) << rule.name;
        for (uint32_t i = 0; i < peers; ++i) ASSERT_EQ(all[i], i) << rule.name;
        EXPECT_EQ(groups, again->Next()) << rule.name;
      }
    }
}

std::vector<size_t> Sizes(const std::vector<Group>& groups) {
  std::vector<size_t> sizes;
  for (const Group& group : groups) sizes.push_back(group.size());
  std::ranges::sort(sizes);
  return sizes;
}

TEST(Meetings, AtRandomHaveGroupsAsEqualAsTheyCanBe) {
  EXPECT_THAT(Sizes(MakeRandomGroups(12, 4, 1)->Next()), ElementsAre(4, 4, 4));
  EXPECT_THAT(Sizes(MakeRandomGroups(14, 4, 1)->Next()), ElementsAre(4, 5, 5));
  EXPECT_THAT(Sizes(MakeRandomGroups(3, 4, 1)->Next()), ElementsAre(3));
  EXPECT_THAT(Sizes(MakePairs(6, 1)->Next()), ElementsAre(2, 2, 2));
  EXPECT_THAT(Sizes(MakePairs(7, 1)->Next()), ElementsAre(1, 2, 2, 2));
}

TEST(Meetings, OfAFullGridAndOfMoshpitJoinPeersOfOtherGroupsForNRounds) {
  double now = 0;
  const auto registry = MakeMemoryRegistry([&] { return now; });
  for (const auto& meetings : {MakeGrid(64, 4, 3, 5), MakeMoshpit(64, 4, 3, 5, *registry, 2)}) {
    std::vector<std::set<uint32_t>> met(64);
    for (int round = 0; round < 3; ++round, ++now)
      for (const Group& group : meetings->Next()) {
        EXPECT_EQ(group.size(), 4u);
        for (const uint32_t i : group)
          for (const uint32_t j : group)
            EXPECT_TRUE(i == j || met[i].insert(j).second) << i << " meets " << j << " twice";
      }
  }
}

TEST(Meetings, OfMoshpitBeginWithDigitsAndGoOnWithIndices) {
  double now = 0;
  const auto registry = MakeMemoryRegistry([&] { return now; });
  const auto meetings = MakeMoshpit(6, 3, 2, 1, *registry, 2);
  EXPECT_THAT(meetings->Next(), ElementsAre(Group{0, 3}, Group{1, 4}, Group{2, 5})) << "i mod 3";
  ++now;
  EXPECT_THAT(Sizes(meetings->Next()), ElementsAre(3, 3)) << "indices 0 and 1";
}

/// n <= M: a grid would be nearly empty, and everybody alone.
TEST(Meetings, OfFewMoshpitPeersAreAllOfThemOnceInNRounds) {
  double now = 0;
  const auto registry = MakeMemoryRegistry([&] { return now; });
  const auto meetings = MakeMoshpit(5, 8, 3, 1, *registry, 2);
  std::vector<size_t> groups;
  for (int round = 0; round < 6; ++round, ++now) groups.push_back(meetings->Next().size());
  EXPECT_THAT(groups, ElementsAre(5, 1, 5, 5, 1, 5));
}

TEST(Meetings, OfMorePeersThanCellsAreLargerOrRefused) {
  double now = 0;
  const auto registry = MakeMemoryRegistry([&] { return now; });
  EXPECT_THAT(Sizes(MakeMoshpit(20, 4, 2, 1, *registry, 2)->Next()), ElementsAre(5, 5, 5, 5));
  const auto why = [](size_t peers, size_t side, size_t dims) -> std::string {
    try {
      MakeGrid(peers, side, dims, 1);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(why(16, 4, 2), "no error");
  EXPECT_THAT(why(17, 4, 2), HasSubstr("peers: found 17, expected at most 16"));
  EXPECT_THAT(why(17, 1024, 24), HasSubstr("dims: found 24"));
  EXPECT_THROW(MakeMoshpit(17, 1024, 24, 1, *registry, 2), ConfigError);
}

}  // namespace
}  // namespace gradwire
