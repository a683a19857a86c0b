// SPDX-License-Identifier: Apache-2.0
// The laws of groups, for every collective that makes some: a factory makes all ranks of a job.
#pragma once

#include <latch>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "collective/conformance.h"
#include "support/forwarding_collective.h"

namespace gradwire::testing {

using Ranks = std::vector<std::unique_ptr<Collective>>;
using MakeJob = std::function<Ranks(int size, std::chrono::milliseconds timeout)>;

/// A group, and the job that it is of.
class GroupOfJob : public ForwardingCollective {
 public:
  GroupOfJob(std::shared_ptr<Ranks> job, std::unique_ptr<Collective> group)
      : ForwardingCollective(*group), job_(std::move(job)), group_(std::move(group)) {}

 private:
  std::shared_ptr<Ranks> job_;
  std::unique_ptr<Collective> group_;
};

/// For the laws of any collective: groups of n of the four ranks of a job, of which the others do nothing.
class GroupsOfFour {
 public:
  explicit GroupsOfFour(MakeJob make) : make_(std::move(make)) {}

  std::unique_ptr<Collective> Take(int rank, int size, std::chrono::milliseconds timeout) {
    static const std::vector<std::vector<int>> members = {{}, {2}, {1, 3}, {0, 2, 3}, {0, 1, 2, 3}};
    const std::shared_ptr<Ranks> job = Job(size, timeout);
    const std::vector<int>& ranks = members[static_cast<size_t>(size)];
    Collective& own = *(*job)[static_cast<size_t>(ranks[static_cast<size_t>(rank)])];
    return std::make_unique<GroupOfJob>(job, own.MakeGroup(ranks, "group"));
  }

 private:
  /// As many arrivals as the group has members are one job's.
  std::shared_ptr<Ranks> Job(int size, std::chrono::milliseconds timeout) {
    const std::lock_guard lock(mutex_);
    if (left_ == 0) {
      job_ = std::make_shared<Ranks>(make_(4, timeout));
      left_ = size;
    }
    const std::shared_ptr<Ranks> job = job_;
    if (--left_ == 0) job_.reset();
    return job;
  }

  const MakeJob make_;
  std::mutex mutex_;
  std::shared_ptr<Ranks> job_;
  int left_ = 0;
};

inline void RunJob(const MakeJob& make, int size, std::chrono::milliseconds timeout,
                   const std::function<void(Collective&)>& body) {
  Ranks job = make(size, timeout);
  RunThreads(size, [&](int rank) { body(*job[static_cast<size_t>(rank)]); });
}

inline std::unique_ptr<Collective> GroupOf(Collective& job, std::vector<int> ranks, const std::string& name) {
  const bool is_member = std::ranges::find(ranks, job.rank()) != ranks.end();
  return is_member ? job.MakeGroup(ranks, name) : nullptr;
}

/// The error of `act`, which is to blame `rank`.
template <typename Act>
std::string BlameOf(int rank, Act&& act) {
  try {
    act();
  } catch (const PeerError& error) {
    EXPECT_EQ(error.rank(), rank) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no PeerError";
  return {};
}

/// Ranks make the groups that they share in opposite orders, some of the same ranks and name.
inline void GroupsAreMadeInAnyOrder(const MakeJob& make) {
  RunJob(make, 3, std::chrono::seconds(60), [](Collective& job) {
    const std::vector<std::pair<std::vector<int>, std::string>> all = {{{0, 1}, "a"}, {{0, 1, 2}, "a"}, {{1, 2}, "a"},
                                                                       {{0, 2}, "a"}, {{0, 1}, "b"},    {{0, 1}, "b"}};
    std::vector<std::unique_ptr<Collective>> groups(all.size());
    for (size_t step = 0; step < all.size(); ++step) {
      const size_t i = job.rank() == 0 ? step : (job.rank() == 1 ? all.size() - 1 - step : (step + 2) % all.size());
      groups[i] = GroupOf(job, all[i].first, all[i].second);
    }
    if (job.rank() == 1) std::swap(groups[4], groups[5]);  // which are told apart by the order of making alone
    for (size_t i = 0; i < groups.size(); ++i) {
      if (!groups[i]) continue;
      Round(*groups[i], 1000 + i).FinishAndCheck();
      std::vector<double> sum = {static_cast<double>(i), static_cast<double>(job.rank())};
      groups[i]->Finish(groups[i]->StartAllReduce(std::span(sum)));
      double ranks = 0;
      for (const int rank : all[i].first) ranks += rank;
      EXPECT_EQ(sum, (std::vector<double>{static_cast<double>(i * all[i].first.size()), ranks}));
    }
    job.GatherText("done");
  });
}

/// Operations of overlapping groups and of the job are under way together, and end in another order.
inline void OverlappingGroupsWorkAtTheSameTime(const MakeJob& make) {
  RunJob(make, 4, std::chrono::seconds(60), [](Collective& job) {
    const std::vector<std::unique_ptr<Collective>> groups = [&] {
      std::vector<std::unique_ptr<Collective>> made;
      for (const std::vector<int>& ranks : std::vector<std::vector<int>>{{0, 1, 2}, {1, 2, 3}, {0, 3}, {1, 2}})
        if (auto group = GroupOf(job, ranks, "group")) made.push_back(std::move(group));
      return made;
    }();
    std::vector<std::unique_ptr<Round>> rounds;
    std::vector<std::vector<float>> sums(2 * groups.size(), std::vector<float>(3000, 1));
    std::vector<std::pair<Collective*, Ticket>> tickets;
    for (size_t time = 0; time < 2; ++time) {
      for (size_t i = 0; i < groups.size(); ++i) {
        rounds.push_back(std::make_unique<Round>(*groups[i], 100000 * static_cast<size_t>(groups[i]->size()) + time));
        tickets.emplace_back(groups[i].get(), groups[i]->StartAllReduce(std::span(sums[2 * i + time])));
      }
      rounds.push_back(std::make_unique<Round>(job, 500));
    }
    for (; !rounds.empty(); rounds.pop_back()) rounds.back()->FinishAndCheck();
    for (; !tickets.empty(); tickets.pop_back()) tickets.back().first->Finish(tickets.back().second);
    for (size_t i = 0; i < groups.size(); ++i)
      for (const size_t time : {0, 1})
        EXPECT_EQ(sums[2 * i + time], std::vector<float>(3000, static_cast<float>(groups[i]->size())));
    job.GatherText("done");
  });
}

/// Rank 3 leaves one group: its members name it by both numbers, and all else goes on.
inline void ADeathConcernsItsGroupAlone(const MakeJob& make) {
  RunJob(make, 4, std::chrono::seconds(60), [](Collective& job) {
    auto broken = GroupOf(job, {0, 1, 3}, "the broken one");
    const auto pair = GroupOf(job, {0, 1}, "pair"), other = GroupOf(job, {0, 2}, "other");
    if (broken) Round(*broken, 10).FinishAndCheck();
    job.GatherText("all have met");
    if (job.rank() == 3) broken.reset();
    std::vector<float> sum(1000, 1);
    if (broken) {
      const std::string what = BlameOf(2, [&] {
        for (int i = 0; i < 2; ++i) broken->Finish(broken->StartAllReduce(std::span(sum)));
      });
      EXPECT_THAT(what, ::testing::HasSubstr("rank 2 of the broken one (rank 3 of the job)"));
    }
    for (int i = 0; i < 2; ++i)
      for (Collective* going : {pair.get(), other.get(), &job})
        if (going != nullptr) Round(*going, 1000).FinishAndCheck();
    job.GatherText("done");
  });
}

/// One that is awaited, and makes no group: it is named after the timeout.
inline void AMemberThatDoesNotComeIsNamed(const MakeJob& make) {
  std::latch over(2);
  RunJob(make, 2, std::chrono::milliseconds(1500), [&](Collective& job) {
    if (job.rank() == 0) {
      const auto group = job.MakeGroup(std::vector<int>{0, 1}, "pair");
      Round round(*group, 10);
      BlameOf(1, [&] { round.FinishAndCheck(); });
    }
    over.arrive_and_wait();
  });
}

/// Groups of a group, which go on where both of those are gone.
inline void AGroupLivesByItself(const MakeJob& make) {
  Ranks job = make(4, std::chrono::seconds(60));
  RunThreads(4, [&](int rank) {
    auto of_three = GroupOf(*job[static_cast<size_t>(rank)], {1, 2, 3}, "three");
    if (!of_three) return;
    const auto of_two = GroupOf(*of_three, {0, 2}, "two");
    of_three->GatherText("made");
    of_three.reset();
    job[static_cast<size_t>(rank)].reset();
    if (!of_two) return;
    Round(*of_two, 1000).FinishAndCheck();
    of_two->GatherText("done");
  });
}

inline void WrongRanksAreRefused(const MakeJob& make) {
  RunJob(make, 3, std::chrono::seconds(60), [](Collective& job) {
    const std::vector<std::vector<int>> wrong = {{}, {0, 2}, {1, 0}, {1, 1}, {1, 3}, {-1, 1}};
    for (const std::vector<int>& ranks : wrong) {
      if (job.rank() != 1) break;
      EXPECT_THROW(job.MakeGroup(ranks, "wrong"), Error) << ::testing::PrintToString(ranks);
    }
    job.GatherText("done");
  });
}

}  // namespace gradwire::testing

/// Instantiates the laws of groups; `make` makes all ranks of a job.
#define GRADWIRE_GROUP_CONFORMANCE(Name, make)                                                                      \
  std::unique_ptr<Collective> Make##Name(int rank, int size, std::chrono::milliseconds timeout) {                   \
    static ::gradwire::testing::GroupsOfFour groups(make);                                                          \
    return groups.Take(rank, size, timeout);                                                                        \
  }                                                                                                                 \
  GRADWIRE_COLLECTIVE_CONFORMANCE(Name, Make##Name)                                                                 \
  TEST(Name, GroupsAreMadeInAnyOrder) { ::gradwire::testing::GroupsAreMadeInAnyOrder(make); }                       \
  TEST(Name, OverlappingGroupsWorkAtTheSameTime) { ::gradwire::testing::OverlappingGroupsWorkAtTheSameTime(make); } \
  TEST(Name, ADeathConcernsItsGroupAlone) { ::gradwire::testing::ADeathConcernsItsGroupAlone(make); }               \
  TEST(Name, AMemberThatDoesNotComeIsNamed) { ::gradwire::testing::AMemberThatDoesNotComeIsNamed(make); }           \
  TEST(Name, AGroupLivesByItself) { ::gradwire::testing::AGroupLivesByItself(make); }                               \
  TEST(Name, WrongRanksAreRefused) { ::gradwire::testing::WrongRanksAreRefused(make); }
