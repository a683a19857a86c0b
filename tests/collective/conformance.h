// SPDX-License-Identifier: Apache-2.0
// The laws of a Collective, for every implementation: a factory makes n ranks of one group, as threads of this process.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "gradwire/collective.h"
#include "gradwire/error.h"
#include "support/ranks.h"

namespace gradwire::testing {

using Bytes = std::vector<std::byte>;
/// Makes rank `rank` of `size`; all ranks call it at the same time, each on its own thread.
using MakeRank = std::function<std::unique_ptr<Collective>(int rank, int size, std::chrono::milliseconds timeout)>;

inline std::byte Pattern(int from, int to, size_t i) {
  return static_cast<std::byte>(17 * from + 31 * to + 7 * i + i / 251);
}

inline Bytes MessageOf(int from, int to, size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = Pattern(from, to, i);
  return bytes;
}

/// One operation in which every rank sends `size` bytes to every other one.
struct Round {
  Round(Collective& collective, size_t size) : collective(collective) {
    const int n = collective.size(), me = collective.rank();
    for (int peer = 0; peer < n; ++peer) {
      sent.push_back(MessageOf(me, peer, size));
      received.push_back(Bytes(size));
    }
    for (int peer = 0; peer < n; ++peer) {
      if (peer == me) continue;
      outgoing.push_back({peer, sent[static_cast<size_t>(peer)]});
      incoming.push_back({peer, received[static_cast<size_t>(peer)]});
    }
    ticket = collective.Start(outgoing, incoming);
  }
  void FinishAndCheck() {
    collective.Finish(ticket);
    for (const Incoming& message : incoming)
      EXPECT_EQ(received[static_cast<size_t>(message.peer)],
                MessageOf(message.peer, collective.rank(), message.bytes.size()));
  }
  Collective& collective;
  std::vector<Bytes> sent, received;
  std::vector<Outgoing> outgoing;
  std::vector<Incoming> incoming;
  Ticket ticket;
};

inline void RunGroup(const MakeRank& make, int size, std::chrono::milliseconds timeout,
                     const std::function<void(Collective&)>& body) {
  RunThreads(size, [&](int rank) {
    const auto collective = make(rank, size, timeout);
    body(*collective);
    collective->GatherText("done");  // nobody leaves while others still receive
  });
}

inline void MessagesArriveWhole(const MakeRank& make) {
  for (const int n : {1, 2, 3, 4})
    RunGroup(make, n, std::chrono::seconds(60), [](Collective& c) {
      for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{5000000}}) {
        Round round(c, size);
        EXPECT_EQ(round.ticket.bytes_sent, size * static_cast<size_t>(c.size() - 1));
        round.FinishAndCheck();
      }
    });
}

inline void TicketsFinishInAnyOrder(const MakeRank& make) {
  RunGroup(make, 3, std::chrono::seconds(60), [](Collective& c) {
    std::vector<std::unique_ptr<Round>> rounds;
    for (size_t i = 0; i < 5; ++i) rounds.push_back(std::make_unique<Round>(c, 1000 * (i + 1)));
    for (size_t i = rounds.size(); i-- > 0;) rounds[i]->FinishAndCheck();
  });
}

/// Each operation is awaited by a thread of its own, while later ones start.
inline void WaitsOfThreadsEndEachForItself(const MakeRank& make) {
  RunGroup(make, 3, std::chrono::seconds(60), [](Collective& c) {
    std::vector<std::unique_ptr<Round>> rounds;
    std::vector<std::thread> waits;
    for (size_t i = 0; i < 20; ++i) {
      rounds.push_back(std::make_unique<Round>(c, 10000 * (i % 5)));
      waits.emplace_back([&round = *rounds.back()] { round.FinishAndCheck(); });
    }
    for (std::thread& wait : waits) wait.join();
  });
}

template <typename T>
void AllReduceSums(const MakeRank& make) {
  for (const int n : {1, 2, 3, 4}) {
    std::vector<std::vector<T>> results(static_cast<size_t>(n));
    RunGroup(make, n, std::chrono::seconds(60), [&](Collective& c) {
      auto& mine = results[static_cast<size_t>(c.rank())];
      for (size_t i = 0; i < 10001; ++i)
        mine.push_back(static_cast<T>(0.1) * static_cast<T>(i % 97) + static_cast<T>(c.rank()));
      c.Finish(c.StartAllReduce(std::span<T>(mine)));
    });
    for (size_t i = 0; i < results[0].size(); ++i) {
      const double expected = n * 0.1 * static_cast<double>(i % 97) + n * (n - 1) / 2.0;
      ASSERT_NEAR(results[0][i], expected, 1e-5 * (1 + expected));
    }
    for (const auto& result : results) EXPECT_EQ(result, results[0]) << "not the same bits on every rank";
  }
}

inline void TextsComeByRank(const MakeRank& make) {
  RunGroup(make, 3, std::chrono::seconds(60), [](Collective& c) {
    for (int round = 0; round < 2; ++round)
      EXPECT_EQ(c.GatherText("rank " + std::to_string(c.rank()) + "\n"),
                (std::vector<std::string>{"rank 0\n", "rank 1\n", "rank 2\n"}));
  });
}

/// Rank 1 of 3 leaves in the middle: the others name it, well before the timeout.
inline void AllNameTheRankThatLeaves(const MakeRank& make, bool all_reduce) {
  std::atomic<int> named{0};
  const auto begin = std::chrono::steady_clock::now();
  RunThreads(3, [&](int rank) {
    auto collective = make(rank, 3, std::chrono::seconds(60));
    Round(*collective, 100).FinishAndCheck();
    if (rank == 1) {
      collective.reset();
      return;
    }
    std::vector<float> values(100000, 1);
    Bytes keep;
    std::unique_ptr<Round> round;
    try {
      for (int i = 0; i < 2; ++i) {  // the first may still find the connection open
        if (all_reduce)
          collective->Finish(collective->StartAllReduce(std::span<float>(values)));
        else
          round = std::make_unique<Round>(*collective, 100000), collective->Finish(round->ticket);
      }
      ADD_FAILURE() << "rank " << rank << " noticed nothing";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 1) << error.what();
      EXPECT_NE(std::string(error.what()).find("rank 1"), std::string::npos) << error.what();
      ++named;
    }
    collective.reset();  // as a failing rank does: the other may find this one gone first, and still names rank 1
  });
  EXPECT_EQ(named, 2);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

/// Rank 1 of 3 stays but says nothing, in many operations at once, each awaited by a thread: all name it, for the
/// timeout.
inline void ASilentRankIsNamedByAllWaits(const MakeRank& make) {
  std::latch finished(3);
  RunThreads(3, [&](int rank) {
    std::vector<std::unique_ptr<Round>> rounds;
    const auto collective = make(rank, 3, std::chrono::milliseconds(1500));
    if (rank != 1) {
      for (int i = 0; i < 4; ++i) rounds.push_back(std::make_unique<Round>(*collective, 1000));
      std::vector<std::thread> waits;
      for (const auto& round : rounds)
        waits.emplace_back([&] {
          try {
            collective->Finish(round->ticket);
            ADD_FAILURE() << "nothing was awaited";
          } catch (const PeerError& error) {
            EXPECT_EQ(error.rank(), 1) << error.what();
            EXPECT_NE(std::string(error.what()).find("1500 ms"), std::string::npos) << error.what();
          }
        });
      for (std::thread& wait : waits) wait.join();
    }
    finished.arrive_and_wait();
  });
}

/// Operations that come one after another within the timeout, and not all of them within it: that is no silence.
inline void ASlowRankIsNotSilent(const MakeRank& make) {
  RunThreads(2, [&](int rank) {
    std::vector<std::unique_ptr<Round>> rounds;
    const auto collective = make(rank, 2, std::chrono::milliseconds(1200));
    std::vector<std::thread> waits;
    for (int i = 0; i < 5; ++i) {
      if (rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(400));
      rounds.push_back(std::make_unique<Round>(*collective, 1000));
      waits.emplace_back([&round = *rounds.back()] { EXPECT_NO_THROW(round.FinishAndCheck()); });
    }
    for (std::thread& wait : waits) wait.join();
    collective->GatherText("done");
  });
}

/// Rank 1 of 2 stays but does not answer: the timeout ends the wait and names it.
inline void ASilentRankIsNamedAfterTheTimeout(const MakeRank& make) {
  std::latch finished(2);
  RunThreads(2, [&](int rank) {
    const auto collective = make(rank, 2, std::chrono::milliseconds(1500));
    if (rank == 0) {
      Round round(*collective, 100);
      try {
        collective->Finish(round.ticket);
        ADD_FAILURE() << "nothing was awaited";
      } catch (const PeerError& error) {
        EXPECT_EQ(error.rank(), 1) << error.what();
        EXPECT_NE(std::string(error.what()).find("1500 ms"), std::string::npos) << error.what();
      }
    }
    finished.arrive_and_wait();
  });
}

/// Waits on threads of their own end when the operations are given up, and later ones do not begin.
inline void CancelEndsEveryWait(const MakeRank& make) {
  std::latch over(2);
  RunThreads(2, [&](int rank) {
    std::vector<float> values(1000, 1);
    std::vector<std::unique_ptr<Round>> rounds;  // both until the collective is gone
    const auto collective = make(rank, 2, std::chrono::seconds(60));
    if (rank == 0) {
      for (int i = 0; i < 3; ++i) rounds.push_back(std::make_unique<Round>(*collective, 100));
      const std::vector<Ticket> tickets{rounds[0]->ticket, rounds[1]->ticket,
                                        collective->StartAllReduce(std::span<float>(values))};
      const auto begin = std::chrono::steady_clock::now();
      std::vector<std::thread> waits;
      for (const Ticket& ticket : tickets) waits.emplace_back([&] { EXPECT_THROW(collective->Finish(ticket), Error); });
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      collective->Cancel();
      for (std::thread& wait : waits) wait.join();
      EXPECT_THROW(collective->Finish(rounds[2]->ticket), Error);
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
    }
    over.arrive_and_wait();
  });
}

}  // namespace gradwire::testing

/// Instantiates the laws for one implementation.
#define GRADWIRE_COLLECTIVE_CONFORMANCE(Name, make)                                                               \
  TEST(Name, MessagesArriveWhole) { ::gradwire::testing::MessagesArriveWhole(make); }                             \
  TEST(Name, TicketsFinishInAnyOrder) { ::gradwire::testing::TicketsFinishInAnyOrder(make); }                     \
  TEST(Name, AllReduceSumsFloats) { ::gradwire::testing::AllReduceSums<float>(make); }                            \
  TEST(Name, AllReduceSumsDoubles) { ::gradwire::testing::AllReduceSums<double>(make); }                          \
  TEST(Name, TextsComeByRank) { ::gradwire::testing::TextsComeByRank(make); }                                     \
  TEST(Name, AllNameTheRankThatLeaves) { ::gradwire::testing::AllNameTheRankThatLeaves(make, false); }            \
  TEST(Name, AllNameTheRankThatLeavesAnAllReduce) { ::gradwire::testing::AllNameTheRankThatLeaves(make, true); }  \
  TEST(Name, ASilentRankIsNamedAfterTheTimeout) { ::gradwire::testing::ASilentRankIsNamedAfterTheTimeout(make); } \
  TEST(Name, ASilentRankIsNamedByAllWaits) { ::gradwire::testing::ASilentRankIsNamedByAllWaits(make); }           \
  TEST(Name, ASlowRankIsNotSilent) { ::gradwire::testing::ASlowRankIsNotSilent(make); }                           \
  TEST(Name, WaitsOfThreadsEndEachForItself) { ::gradwire::testing::WaitsOfThreadsEndEachForItself(make); }       \
  TEST(Name, CancelEndsEveryWait) { ::gradwire::testing::CancelEndsEveryWait(make); }
