// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

TEST(ThreadPool, DoesEachThingOnce) {
  ThreadPool pool;
  pool.Grow(4);
  Lane lane;
  for (const size_t n : {0, 1, 2, 3, 7, 1000})
    for (const size_t threads : {0, 1, 2, 4, 9}) {
      std::vector<int> times(n);
      pool.Share(n, threads, lane, [&](size_t i, Lane&) { ++times[i]; });
      EXPECT_TRUE(std::ranges::all_of(times, [](int t) { return t == 1; })) << n << " on " << threads;
    }
}

/// Three things that end only together need three threads; each has a lane that no other one has meanwhile.
TEST(ThreadPool, UsesAsManyThreadsAsAreAskedFor) {
  ThreadPool pool;
  pool.Grow(3);
  Lane lane;
  for (int round = 0; round < 100; ++round) {
    std::barrier all(3);
    std::vector<Lane*> lanes(3);
    pool.Share(3, 3, lane, [&](size_t i, Lane& mine) {
      lanes[i] = &mine;
      all.arrive_and_wait();
    });
    EXPECT_EQ(std::set<Lane*>(lanes.begin(), lanes.end()).size(), 3u);
    EXPECT_TRUE(std::ranges::count(lanes, &lane));
  }
}

TEST(ThreadPool, UsesNoMoreThreadsThanAreAskedFor) {
  ThreadPool pool;
  pool.Grow(8);
  Lane lane;
  std::atomic<int> now = 0, most = 0;
  std::barrier both(2);
  pool.Share(40, 2, lane, [&](size_t i, Lane&) {
    const int here = ++now;
    for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) continue;
    if (i < 2) both.arrive_and_wait();  // the first two are two threads' at once, however busy the machine is
    --now;
  });
  EXPECT_EQ(most, 2);
}

TEST(ThreadPool, TheLowestFailureIsTheCallersForAnyNumberOfThreads) {
  ThreadPool pool;
  pool.Grow(4);
  Lane lane;
  for (const size_t threads : {1, 2, 4})
    for (int round = 0; round < 50; ++round) {
      std::vector<char> done(100);
      try {
        pool.Share(100, threads, lane, [&](size_t i, Lane&) {
          if (i == 30) std::this_thread::sleep_for(std::chrono::microseconds(100));
          if (i >= 30) throw Error(std::to_string(i));
          done[i] = 1;
        });
        FAIL() << "nothing was thrown";
      } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "30") << threads;
      }
      EXPECT_EQ(std::ranges::count(done, 1), 30);
    }
}

TEST(ThreadPool, ManyCallersShareItAlsoFromWithin) {
  ThreadPool pool;
  pool.Grow(3);
  std::atomic<int> done = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      Lane lane;
      for (int round = 0; round < 50; ++round)
        pool.Share(8, 3, lane, [&](size_t, Lane& outer) { pool.Share(5, 3, outer, [&](size_t, Lane&) { ++done; }); });
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(done, 4 * 50 * 8 * 5);
}

/// Not under a time limit of its own: a child that waited for a thread of its parent would never end.
TEST(ThreadPool, AForkedChildUsesNoThreadOfItsParent) {
  ThreadPool::OfProcess().Grow(3);
  Lane lane;
  std::barrier all(3);
  ThreadPool::OfProcess().Share(3, 3, lane, [&](size_t, Lane&) { all.arrive_and_wait(); });
  std::fflush(nullptr);  // or both would write what is still in the buffers
  const pid_t child = fork();
  if (child == 0) {
    int sum = 0;
    ThreadPool::OfProcess().Share(100, 3, lane, [&](size_t i, Lane&) { sum += static_cast<int>(i); });
    std::exit(sum == 4950 ? 0 : 1);  // what is static is destroyed
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace gradwire
