// SPDX-License-Identifier: Apache-2.0
// Who may work for the server of an asynchronous run, and under which number.
#include "train/join/async_meeting.h"

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr const char* kSettings = "optimizer.lr: 0.1\n";

/// A server that expects ranks 1 and 2, and workers that are threads.
class MeetingTest : public testing::Test {
 protected:
  std::future<Welcome> Come(int rank, const char* settings = kSettings) {
    auto answer = std::async(std::launch::async, [=, this] { return Arrive(member_, rank, settings); });
    arrivals_ += 1;
    while (member_.store->add("async/arrivals", 0) < arrivals_) std::this_thread::yield();
    return answer;
  }
  /// What the server makes of the next arrival.
  std::optional<Meeting::Arrival> Meet() {
    for (int i = 0; i < 100; ++i) {
      if (auto arrival = meeting_.Next()) return arrival;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return std::nullopt;
  }

  Membership member_{c10::make_intrusive<c10d::HashStore>(), 0, 3, "127.0.0.1", milliseconds(5000)};
  Meeting meeting_{member_.store, 3, kSettings, {.token = 7, .timeout = milliseconds(900)}, milliseconds(30)};
  int64_t arrivals_ = 0;
};

TEST_F(MeetingTest, RanksKeepTheirNumbersAndThoseThatJoinGetTheNext) {
  for (const auto& [rank, worker] : {std::pair{2, 2u}, {-1, 3u}, {1, 1u}, {-1, 4u}}) {
    auto answer = Come(rank);
    const auto arrival = Meet();
    ASSERT_TRUE(arrival.has_value());
    EXPECT_EQ(arrival->worker, worker);
    EXPECT_EQ(arrival->excuse, "");
    const Welcome welcome = answer.get();
    EXPECT_EQ(welcome.worker, worker);
    EXPECT_EQ(welcome.token, 7u);
    EXPECT_EQ(welcome.timeout, milliseconds(900));
  }
}

TEST_F(MeetingTest, OtherSettingsAreRefusedAndTheServerHearsOfItsOwnRanks) {
  for (const int rank : {1, -1}) {
    auto answer = Come(rank, "optimizer.lr: 0.3\n");
    const auto arrival = Meet();
    EXPECT_EQ(arrival.has_value(), rank == 1);
    if (arrival) {
      EXPECT_THAT(arrival->excuse, HasSubstr("optimizer.lr: saved with 0.1, this run has 0.3"));
    }
    EXPECT_THROW(answer.get(), ConfigError);
  }
}

TEST_F(MeetingTest, ARankThatIsThereOrNoneOfTheRunIsRefused) {
  auto first = Come(1);
  EXPECT_TRUE(Meet().has_value());
  first.get();
  for (const int rank : {1, 3}) {
    auto answer = Come(rank);
    EXPECT_FALSE(Meet().has_value()) << rank;
    EXPECT_THROW(answer.get(), ConfigError);
  }
  ExcuseFrom(*member_.store, 1, "of a process that has no right to speak for rank 1");
  ExcuseFrom(*member_.store, 9, "of no rank");
  EXPECT_FALSE(Meet().has_value());
  ExcuseFrom(*member_.store, 2, "no images");
  const auto arrival = Meet();
  ASSERT_TRUE(arrival.has_value());
  EXPECT_EQ(arrival->worker, 2u);
  EXPECT_EQ(arrival->excuse, "no images");
}

TEST_F(MeetingTest, AWorkerThatDiesWhileItArrivesKeepsNobodyOut) {
  member_.store->add("async/arrivals", 1);  // and then nothing
  arrivals_ = 1;
  auto answer = Come(2);
  const auto arrival = Meet();
  ASSERT_TRUE(arrival.has_value());
  EXPECT_EQ(arrival->worker, 2u);
  answer.get();
}

}  // namespace
}  // namespace gradwire::train
