// SPDX-License-Identifier: Apache-2.0
// Several buckets under way: which wait for which, how many at once, and on how many threads.
#include "gradwire/exchange_thread.h"

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <latch>
#include <thread>
#include <vector>

#include <pthread.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/exchange_thread.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

using namespace testing;
using ::testing::HasSubstr;

TEST(ExchangeWindow, ABucketStartsWhileAnotherWaits) {
  std::latch both_started(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    WatchedCollective watched(collective);
    Exchange<float> exchange(watched, kParameters, Parts());
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(collective.rank(), 0);
    const auto push = [&](size_t i) { thread.Push(0, buckets.At(i), [](std::exception_ptr e) { EXPECT_FALSE(e); }); };
    if (collective.rank() == 0)  // its peer says nothing before it has started two
      for (size_t i = 0; i < 2; ++i) push(i), watched.WaitUntilStarted(i + 1);
    both_started.arrive_and_wait();
    if (collective.rank() != 0)
      for (size_t i = 0; i < 2; ++i) push(i);
    thread.Close();
  });
}

TEST(ExchangeWindow, NoBucketsWayBackWaitsForAnothers) {
  ExchangeParts parts = MakeParts(testing::Combination{"doublesqueeze", "sign"}.Config(), /*seed=*/1);
  ASSERT_EQ(parts.topology, "sharded");
  std::array<WatchedCollective*, kWorkers> watched{};
  std::latch made(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    // Two messages up and two down. Rank 0 begins when rank 1 has sent both up; rank 1 sends its first one down when
    // rank 0 has sent both of its own.
    const int rank = collective.rank();
    WatchedCollective mine(collective, [&](size_t n) {
      if (rank == 0 && n == 0) watched[1]->WaitUntilStarted(2);
      if (rank == 1 && n == 2) watched[0]->WaitUntilStarted(4);
    });
    watched[static_cast<size_t>(rank)] = &mine;
    Exchange<float> exchange(mine, kParameters, parts);
    made.arrive_and_wait();
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(rank, 0);
    for (const size_t i : {0u, 2u}) thread.Push(0, buckets.At(i), [](std::exception_ptr e) { EXPECT_FALSE(e); });
    thread.Close();
  });
}

/// Counts the waits that are under way.
class CountingCollective final : public WatchedCollective {
 public:
  using WatchedCollective::WatchedCollective;
  void Finish(const Ticket& ticket) override {
    const int now = ++waits_;
    for (int most = most_; most < now && !most_.compare_exchange_weak(most, now);) {
    }
    WatchedCollective::Finish(ticket);
    --waits_;
  }
  int most() const { return most_; }

 private:
  std::atomic<int> waits_{0}, most_{0};
};

/// How its buckets travel, and in how many stages: one for each way, and one more where sizes vary.
struct Way {
  testing::Combination way;
  int stages;
};

const std::vector<Way> kWays = {{{"ef", "sign"}, 1},
                                {{"doublesqueeze", "sign"}, 2},
                                {{"dcgd", "threshold:0.5", "allgather"}, 2},
                                {{"dcgd", "threshold:0.5", "sharded", "raw"}, 4}};

/// In one step; `done` counts those that are answered without a failure.
void PushAll(ExchangeThread<float>& thread, testing::Buckets<float>& buckets, std::atomic<size_t>& done) {
  for (size_t i = 0; i < buckets.size(); ++i)
    thread.Push(0, buckets.At(i), [&](std::exception_ptr failure) { done += failure == nullptr; });
}

TEST(ExchangeWindow, SoManyBucketsAreUnderWayTogetherAndAThreadWaitsForEachOfTheirStages) {
  constexpr auto kWindow = ExchangeThread<float>::kUnderWay;
  const std::vector<Parameter> parameters(3 * kWindow, Parameter{"p", {2000}});
  for (const auto& [way, stages] : kWays) {
    const bool varies = stages != 1 && way.method != "doublesqueeze";  // two operations to start with
    std::latch started(kWorkers);
    testing::RunRanks(kWorkers, [&](Collective& collective) {
      CountingCollective counting(collective);
      Exchange<float> exchange(counting, parameters, MakeParts(way.Config(), /*seed=*/1));
      ExchangeThread<float> thread(exchange);
      testing::Buckets<float> buckets(parameters, testing::OneEach(parameters));
      std::atomic<size_t> done{0};
      if (collective.rank() == 0) {  // its peer says nothing before it has started as many as it may
        PushAll(thread, buckets, done);
        counting.WaitUntilStarted(kWindow * (varies ? 2 : 1));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_EQ(counting.started(), kWindow * (varies ? 2 : 1));
      }
      started.arrive_and_wait();
      if (collective.rank() != 0) PushAll(thread, buckets, done);
      thread.Close();
      EXPECT_EQ(done, parameters.size());
      EXPECT_LE(counting.most(), stages);
    });
  }
}

/// Messages of twice the bucket's bytes: only two may be under way, though far fewer than the window.
TEST(ExchangeWindow, LargeMessagesAreUnderWayInTurn) {
  const std::vector<Parameter> parameters(3, Parameter{"p", {4 << 20}});
  const ExchangeParts parts =
      MakeParts({.method = "dcgd", .compressor = "identity", .topology = "allgather"}, /*seed=*/1);
  std::latch started(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    WatchedCollective watched(collective);
    Exchange<float> exchange(watched, parameters, parts);
    ExchangeThread<float> thread(exchange);
    testing::Buckets<float> buckets(parameters, testing::OneEach(parameters));
    std::atomic<size_t> done{0};
    if (collective.rank() == 0) {  // its peer says nothing before it has started as many as it may
      PushAll(thread, buckets, done);
      watched.WaitUntilStarted(2);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      EXPECT_EQ(watched.started(), 2u);
    }
    started.arrive_and_wait();
    if (collective.rank() != 0) PushAll(thread, buckets, done);
    thread.Close();
    EXPECT_EQ(done, parameters.size());
  });
}

/// The threads of this process.
size_t Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST(ExchangeWindow, HasAsManyThreadsForManyBucketsAsForOne) {
  const std::vector<Parameter> parameters(160, Parameter{"p", {2000}});
  for (const auto& [way, stages] : kWays)
    testing::RunRanks(1, [&, stages = stages, &way = way](Collective& collective) {
      Exchange<float> exchange(collective, parameters, MakeParts(way.Config(), /*seed=*/1));
      const size_t before = Threads();
      ExchangeThread<float> thread(exchange);
      testing::Buckets<float> buckets(parameters, testing::OneEach(parameters));
      for (uint64_t step = 0; step < 2; ++step) buckets.Exchange(thread, step);
      EXPECT_LE(Threads(), before + 1 + static_cast<size_t>(stages)) << way;
    });
}

/// A bucket of four stages, and behind it one that rank 0 starts at once, and rank 1 not before the first is finished.
TEST(ExchangeWindow, ABucketIsFinishedThoughAnotherRankHasNotStartedTheNext) {
  const ExchangeParts parts = MakeParts(kWays[3].way.Config(), /*seed=*/1);
  testing::RunRanks(
      kWorkers,
      [&](Collective& collective) {
        Exchange<float> exchange(collective, kParameters, parts);
        ExchangeThread<float> thread(exchange);
        auto buckets = MakeBuckets(collective.rank(), 0);
        const auto push = [&](size_t i) {
          thread.Push(0, buckets.At(i), [](std::exception_ptr e) { EXPECT_FALSE(e); });
        };
        push(0);
        if (collective.rank() == 1) thread.Inspect([](Exchange<float>&) {});
        push(2);
        thread.Close();
      },
      std::chrono::seconds(10));
}

/// Channels whose buckets have other numbers of stages, ranks that come late, and a look now and then at one of them.
TEST(ExchangeWindow, BucketsOfAnyNumberOfStagesEndInAnyOrderOfEvents) {
  constexpr uint64_t kSteps = 30;
  testing::RunRanks(3, [&](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, MakeParts(kWays[0].way.Config(), /*seed=*/1));
    for (uint32_t channel = 1; channel < kWays.size(); ++channel)
      exchange.Open(channel, kParameters, MakeParts(kWays[channel].way.Config(), /*seed=*/1));
    std::vector<testing::Buckets<float>> buckets;
    for (size_t i = 0; i < kSteps * kWays.size(); ++i) buckets.push_back(MakeBuckets(collective.rank(), i));
    ExchangeThread<float> thread(exchange);
    Philox mine(1, Purpose::kSynthetic, static_cast<uint64_t>(collective.rank()));
    std::atomic<size_t> done = 0;
    for (uint64_t step = 0; step < kSteps; ++step)
      for (uint32_t channel = 0; channel < kWays.size(); ++channel)
        for (size_t i = 0; i < 3; ++i) {
          if (mine.Below(8) == 0) std::this_thread::sleep_for(std::chrono::microseconds(mine.Below(3000)));
          if (mine.Below(50) == 0) thread.Inspect([](Exchange<float>&) {});
          thread.Push(Round(step).In(channel), buckets[step * kWays.size() + channel].At(i),
                      [&](std::exception_ptr failure) { done += failure == nullptr; });
        }
    thread.Close();
    EXPECT_EQ(done, kSteps * kWays.size() * 3);
  });
}

/// While it lives, no thread can be started: each would want more memory than there are addresses.
class NoThreads {
 public:
  NoThreads() { Set(size_t{1} << 50); }
  ~NoThreads() { Set(size_t{8} << 20); }

 private:
  static void Set(size_t stack) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack);
    EXPECT_EQ(pthread_setattr_default_np(&attributes), 0);
    pthread_attr_destroy(&attributes);
  }
};

TEST(ExchangeWindow, AThreadThatCannotBeStartedIsAnErrorThatSaysWhatRanOut) {
  testing::RunRanks(1, [](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, Parts());
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(0, 0);
    const NoThreads none;
    for (const size_t i : {0u, 1u}) {  // and it does not hang
      try {
        PushAndWait<float>(thread, 0, buckets.At(i));
        FAIL() << "a thread was started";
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("cannot start a thread that waits for other ranks"));
        EXPECT_THAT(error.what(), ::testing::ContainsRegex("has [0-9]+ threads and [0-9]+ kB"));
        EXPECT_THAT(error.what(), HasSubstr("ulimit -u"));
      }
    }
    EXPECT_THROW(ExchangeThread<float>{exchange}, Error);
  });
}

}  // namespace
}  // namespace gradwire
