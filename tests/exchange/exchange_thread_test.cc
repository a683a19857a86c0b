// SPDX-License-Identifier: Apache-2.0
// The exchange's thread: the same results as without it, several buckets under way, and every bucket answered once.
#include "gradwire/exchange_thread.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.h"
#include "exchange/waiters.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

constexpr int kWorkers = 2;
const std::vector<Parameter> kParameters = {{"a", {40, 50}}, {"b", {1}}, {"c", {60, 50}}};

ExchangeParts Parts() { return MakeParts(testing::Combination{"ef", "sign"}.Config(), /*seed=*/1); }

testing::Buckets<float> MakeBuckets(int rank, uint64_t step) {
  testing::Buckets<float> buckets(kParameters, testing::OneEach(kParameters));
  for (uint32_t p = 0; p < kParameters.size(); ++p)
    for (size_t i = 0; i < buckets.Of(p).size(); ++i)
      buckets.Of(p)[i] = static_cast<float>((i * 37 + p) % 101 + step) - 20 * static_cast<float>(rank);
  return buckets;
}

TEST(Waiters, AStageKeepsItsOrderAndHoldsBackNoOther) {
  std::promise<void> second_stage;
  std::atomic<bool> came = false;
  std::vector<uint64_t> first_stage;
  Waiters waiters([&](const Waiters::Item& item) {
    if (item.id == 100) return second_stage.set_value();
    first_stage.push_back(item.id);
    if (item.id == 0) came = second_stage.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  });
  for (uint64_t id = 0; id < 50; ++id) waiters.Do(0, {id, {}});
  waiters.Do(1, {100, {}});
  waiters.Join();
  EXPECT_TRUE(came);
  ASSERT_EQ(first_stage.size(), 50u);
  EXPECT_TRUE(std::ranges::is_sorted(first_stage));
}

/// Everything that rank 0 gets in five steps, through a sink of this type.
template <typename Sink>
std::vector<float> Results(const ExchangeParts& parts) {
  std::vector<float> results;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, parts);
    Sink sink(exchange);
    for (uint64_t step = 0; step < 5; ++step) {
      auto buckets = MakeBuckets(collective.rank(), step);
      buckets.Exchange(sink, step);
      for (uint32_t p = 0; p < kParameters.size() && collective.rank() == 0; ++p)
        results.insert(results.end(), buckets.Of(p).begin(), buckets.Of(p).end());
    }
  });
  return results;
}

TEST(ExchangeThread, GivesTheResultsOfADirectSink) {
  const std::vector<testing::Combination> ways = {{"ef", "sign"},
                                                  {"dcgd", "threshold:0.5", "allgather"},
                                                  {"dcgd", "threshold:0.5", "sharded", "raw"},
                                                  {"doublesqueeze", "sign"},
                                                  {"dcgd", "randk:10%:common"},
                                                  {"none", "identity"}};
  for (const testing::Combination& way : ways) {
    const ExchangeParts parts = MakeParts(way.Config(), /*seed=*/1);
    EXPECT_EQ(Results<ExchangeThread<float>>(parts), Results<DirectSink<float>>(parts))
        << way.method << ", " << way.compressor;
  }
}

/// Counts operations that are started; `before` runs in front of each, with the number of those before it.
class WatchedCollective : public testing::ForwardingCollective {
 public:
  using Before = std::function<void(size_t)>;
  explicit WatchedCollective(
      Collective& inner, Before before = [](size_t) {})
      : ForwardingCollective(inner), before_(std::move(before)) {}

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    before_(started());
    const Ticket ticket = ForwardingCollective::Start(id, outgoing, incoming);
    const std::lock_guard lock(mutex_);
    ++started_;
    changed_.notify_all();
    return ticket;
  }
  size_t started() {
    const std::lock_guard lock(mutex_);
    return started_;
  }
  /// Fails where it takes too long.
  void WaitUntilStarted(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return started_ >= count; }))
        << started_ << " of " << count;
  }

 private:
  const Before before_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t started_ = 0;
};

TEST(ExchangeThread, ABucketStartsWhileAnotherWaits) {
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

TEST(ExchangeThread, NoBucketsWayBackWaitsForAnothers) {
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

TEST(ExchangeThread, SoManyBucketsAreUnderWayTogetherAndAThreadWaitsForEachOfTheirStages) {
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
      const auto push = [&] {
        for (size_t i = 0; i < buckets.size(); ++i)
          thread.Push(0, buckets.At(i), [&](std::exception_ptr failure) { done += failure == nullptr; });
      };
      if (collective.rank() == 0) {  // its peer says nothing before it has started as many as it may
        push();
        counting.WaitUntilStarted(kWindow * (varies ? 2 : 1));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_EQ(counting.started(), kWindow * (varies ? 2 : 1));
      }
      started.arrive_and_wait();
      if (collective.rank() != 0) push();
      thread.Close();
      EXPECT_EQ(done, parameters.size());
      EXPECT_LE(counting.most(), stages);
    });
  }
}

/// Messages of twice the bucket's bytes: only two may be under way, though far fewer than the window.
TEST(ExchangeThread, LargeMessagesAreUnderWayInTurn) {
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
    const auto push = [&] {
      for (size_t i = 0; i < buckets.size(); ++i)
        thread.Push(0, buckets.At(i), [&](std::exception_ptr failure) { done += failure == nullptr; });
    };
    if (collective.rank() == 0) {  // its peer says nothing before it has started as many as it may
      push();
      watched.WaitUntilStarted(2);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      EXPECT_EQ(watched.started(), 2u);
    }
    started.arrive_and_wait();
    if (collective.rank() != 0) push();
    thread.Close();
    EXPECT_EQ(done, parameters.size());
  });
}

/// The threads of this process.
size_t Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST(ExchangeThread, HasAsManyThreadsForManyBucketsAsForOne) {
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
TEST(ExchangeThread, ABucketIsFinishedThoughAnotherRankHasNotStartedTheNext) {
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
TEST(ExchangeThread, BucketsOfAnyNumberOfStagesEndInAnyOrderOfEvents) {
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

TEST(ExchangeThread, AThreadThatCannotBeStartedIsAnErrorThatSaysWhatRanOut) {
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

TEST(ExchangeThread, AStepBeginsWhenTheOneBeforeIsFinished) {
  std::latch pushed(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    WatchedCollective watched(collective);
    Exchange<float> exchange(watched, kParameters, Parts());
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(collective.rank(), 0);
    std::atomic<int> done{0};
    const auto push = [&](uint64_t step, size_t i) {
      thread.Push(step, buckets.At(i), [&](std::exception_ptr e) { done += e == nullptr; });
    };
    if (collective.rank() == 0) {
      push(0, 0);
      push(1, 1);
      watched.WaitUntilStarted(1);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      EXPECT_EQ(watched.started(), 1u);
    }
    pushed.arrive_and_wait();
    if (collective.rank() != 0) push(0, 0), push(1, 1);
    thread.Close();
    EXPECT_EQ(done, 2);
  });
}

TEST(ExchangeThread, InspectSeesEveryPushedBucketFinished) {
  testing::RunRanks(kWorkers, [](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, Parts());
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(collective.rank(), 0);
    int done = 0;  // read and written on the exchange's thread
    for (size_t i = 0; i < buckets.size(); ++i) thread.Push(0, buckets.At(i), [&](std::exception_ptr) { ++done; });
    thread.Inspect([&](Exchange<float>& mine) {
      EXPECT_EQ(&mine, &exchange);
      EXPECT_EQ(done, 3);
      EXPECT_EQ(buckets.Of(1)[0], -9) << "b travels exactly: (1 + (1 - 20)) / 2";
      EXPECT_GT(mine.stats().payload_bytes, 0u);
      EXPECT_GT(mine.state().SquaredNorm("e"), 0);
    });
  });
}

TEST(ExchangeThread, CloseFinishesWhatWasPushedAndMayBeRepeated) {
  testing::RunRanks(kWorkers, [](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, Parts());
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(collective.rank(), 0);
    int done = 0;
    for (size_t i = 0; i < buckets.size(); ++i)
      thread.Push(0, buckets.At(i), [&](std::exception_ptr failure) { done += failure == nullptr; });
    thread.Close();
    EXPECT_EQ(done, 3);
    thread.Close();
    EXPECT_THROW(thread.Push(1, buckets.At(0), [&](std::exception_ptr) { ++done; }), Error);
    EXPECT_THROW(thread.Inspect([&](Exchange<float>&) { ++done; }), Error);
    EXPECT_EQ(done, 3);
  });
}

/// Stands for an object that Python knows: destroying it waits for the interpreter's lock.
struct Locked {
  const std::atomic<bool>& is_held;
  std::atomic<int>& late;
  ~Locked() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (is_held) {
      if (std::chrono::steady_clock::now() > end) {
        ++late;
        break;
      }
      std::this_thread::yield();
    }
  }
};

TEST(ExchangeThread, ACallerMayHoldALockThatWhatDoneOwnsTakesWhenItIsDestroyed) {
  testing::RunRanks(1, [](Collective& collective) {
    std::atomic<bool> is_held = false;
    std::atomic<int> late = 0;
    Exchange<float> exchange(collective, kParameters, Parts());
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(0, 0);
    for (uint64_t step = 0; step < 200; ++step) {
      const auto answered = std::make_shared<std::promise<void>>();
      auto owned = std::make_shared<Locked>(is_held, late);
      is_held = true;
      for (size_t i = 0; i < 2; ++i) thread.Push(step, buckets.At(i), [owned](std::exception_ptr) {});
      thread.Push(step, buckets.At(2), [owned, answered](std::exception_ptr) { answered->set_value(); });
      is_held = false;
      owned.reset();
      answered->get_future().get();
      ASSERT_EQ(late, 0) << "step " << step;
    }
  });
}

/// Counts each bucket's answers and keeps what the last one said.
struct Answers {
  std::atomic<int> count{0};
  std::exception_ptr failure;  // read after Close

  std::function<void(std::exception_ptr)> Take() {
    return [this](std::exception_ptr what) { failure = what, ++count; };
  }
};

TEST(ExchangeThread, ADeadPeerIsNamedInTheAnswerToEveryBucketOnce) {
  testing::RunRanks(kWorkers, [](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, Parts());
    if (collective.rank() == 1) return;  // dies: its collective is destroyed
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(0, 0);
    std::vector<Answers> answers(2 * buckets.size());
    for (size_t i = 0; i < buckets.size(); ++i) thread.Push(0, buckets.At(i), answers[i].Take());
    thread.Inspect([](Exchange<float>&) {});
    for (size_t i = 0; i < buckets.size(); ++i) thread.Push(1, buckets.At(i), answers[buckets.size() + i].Take());
    thread.Close();
    for (const Answers& answer : answers) {
      EXPECT_EQ(answer.count, 1);
      try {
        ASSERT_TRUE(answer.failure);
        std::rethrow_exception(answer.failure);
      } catch (const PeerError& error) {
        EXPECT_EQ(error.rank(), 1);
        EXPECT_THAT(error.what(), HasSubstr("rank 1 is gone"));
      }
    }
  });
}

TEST(ExchangeThread, AFailureEndsTheWaitsOfOtherBuckets) {
  std::latch closed(kWorkers);
  const auto begin = std::chrono::steady_clock::now();
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, Parts());
    if (collective.rank() == 0) {
      ExchangeThread<float> thread(exchange);
      auto buckets = MakeBuckets(0, 0);
      Bucket<float> wrong = buckets.At(1);
      wrong.values = wrong.values.first(0);
      std::vector<Answers> answers(2);
      thread.Push(0, buckets.At(0), answers[0].Take());
      thread.Push(0, wrong, answers[1].Take());
      thread.Close();
      for (const Answers& answer : answers) EXPECT_TRUE(answer.count == 1 && answer.failure);
    }
    closed.arrive_and_wait();  // until then rank 1 is there and says nothing
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20)) << "less than a timeout";
}

TEST(ExchangeThread, ABucketThatCannotStartFailsAndSoDoLaterOnes) {
  testing::RunRanks(1, [](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, Parts());
    ExchangeThread<float> thread(exchange);
    auto buckets = MakeBuckets(0, 0);
    PushAndWait<float>(thread, 0, buckets.At(0));
    Bucket<float> wrong = buckets.At(1);
    wrong.values = wrong.values.first(0);
    EXPECT_THROW(PushAndWait<float>(thread, 0, wrong), Error);
    EXPECT_THROW(PushAndWait<float>(thread, 0, buckets.At(2)), Error);
  });
}

TEST(ExchangeThread, InspectPassesOnWhatTheLookThrows) {
  testing::RunRanks(1, [](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, Parts());
    ExchangeThread<float> thread(exchange);
    EXPECT_THROW(thread.Inspect([](Exchange<float>&) { throw ConfigError("seen"); }), ConfigError);
    auto buckets = MakeBuckets(0, 0);
    PushAndWait<float>(thread, 0, buckets.At(0));  // and the exchange goes on
  });
}

TEST(DirectSink, HandsFailuresToDone) {
  testing::RunRanks(1, [](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, Parts());
    DirectSink<float> sink(exchange);
    auto buckets = MakeBuckets(0, 0);
    Bucket<float> wrong = buckets.At(0);
    wrong.values = wrong.values.first(1);
    Answers answers;
    sink.Push(0, wrong, answers.Take());
    EXPECT_EQ(answers.count, 1);
    EXPECT_TRUE(answers.failure);
    EXPECT_THROW(PushAndWait<float>(sink, 0, wrong), Error);
  });
}

}  // namespace
}  // namespace gradwire
