// SPDX-License-Identifier: Apache-2.0
// The exchange's thread: the same results as without it, several buckets under way, and every bucket answered once.
#include "gradwire/exchange_thread.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exchange/waiters.h"
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
