// SPDX-License-Identifier: Apache-2.0
#include "c10d/bounded_store.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "c10d/init.h"
#include "c10d/listen.h"
#include "c10d/roll_call.h"

namespace gradwire {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

/// Answers until it is frozen, and then when it is told to.
class FreezingStore final : public c10d::HashStore {
 public:
  bool check(const std::vector<std::string>& keys) override {
    while (is_frozen) std::this_thread::sleep_for(milliseconds(1));
    return HashStore::check(keys);
  }
  c10::intrusive_ptr<Store> clone() override { return c10::intrusive_ptr<Store>::reclaim_copy(this); }

  std::atomic<bool> is_frozen = false;
};

Membership MemberOf(c10::intrusive_ptr<c10d::Store> store, int rank, int size, milliseconds timeout) {
  return {std::move(store), rank, size, "127.0.0.1", timeout};
}

TEST(BoundedStore, AnswersThatDoNotComeBlameTheRankThatServesTheStore) {
  const auto inner = c10::make_intrusive<FreezingStore>();
  const auto store = WithBoundedStore(MemberOf(inner, 1, 2, milliseconds(200))).store;
  store->set("a", std::vector<uint8_t>{7});
  EXPECT_TRUE(store->check({"a"}));
  EXPECT_EQ(store->get("a"), std::vector<uint8_t>{7});
  inner->is_frozen = true;
  for (int i = 0; i < 2; ++i) {  // the second waits for nothing
    try {
      store->check({"a"});
      FAIL() << "a frozen store answered";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 0);
      EXPECT_THAT(error.what(), HasSubstr("rank 0, which serves the job's store, has not answered for 200 ms"));
    }
  }
  inner->is_frozen = false;
  for (int i = 0; i < 1000; ++i) {  // goes on once the overdue call is over
    try {
      EXPECT_TRUE(store->check({"a"}));
      return;
    } catch (const PeerError&) {
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
  FAIL() << "the store answers again, and nobody notices";
}

TEST(RollCall, WhoWaitsItselfIsNotBlamed) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  RollCall zero(MemberOf(store, 0, 3, milliseconds(1000))), one(MemberOf(store, 1, 3, milliseconds(1000)));
  std::atomic<bool> is_over = false;
  std::thread waits([&] {  // rank 1 looks, and rank 2 is frozen
    while (!is_over && !one.Answer()) std::this_thread::sleep_for(milliseconds(10));
  });
  EXPECT_EQ(zero.FindMissing(milliseconds(500)), 2);
  is_over = true;
  waits.join();
  EXPECT_TRUE(one.Answer());
  EXPECT_EQ(one.Verdict(0, "is gone", "so it seems").rank(), 2);
}

TEST(RollCall, ARankNeverBlamesItself) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  RollCall zero(MemberOf(store, 0, 2, milliseconds(1000))), one(MemberOf(store, 1, 2, milliseconds(1000)));
  EXPECT_EQ(zero.Blame(1), 1);
  const PeerError verdict = one.Verdict(0, "is gone", "so it seems");
  EXPECT_EQ(verdict.rank(), -1);
  EXPECT_THAT(verdict.what(), HasSubstr("this rank, 1, was given up by another one"));
}

bool CanConnect(uint32_t address, int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(address);
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  close(fd);
  return connected;
}

TEST(ServeStore, ListensOnTheAddressAlone) {
  const auto store = ServeStore("127.0.0.1", 0, milliseconds(5000));
  EXPECT_TRUE(CanConnect(INADDR_LOOPBACK, store->getPort()) && IsListening("127.0.0.1", store->getPort()));
  EXPECT_FALSE(IsListening("127.0.0.2", store->getPort()));
  EXPECT_FALSE(CanConnect(INADDR_LOOPBACK + 1, store->getPort()));  // 127.0.0.2 is this machine as well
  const auto any = ServeStore("::", 0, milliseconds(5000));
  EXPECT_TRUE(CanConnect(INADDR_LOOPBACK + 1, any->getPort()));
}

TEST(ServeStore, APortThatIsInUseIsRefusedInALine) {
  const auto store = ServeStore("127.0.0.1", 0, milliseconds(5000));
  try {
    ServeStore("127.0.0.1", store->getPort(), milliseconds(5000));
    FAIL() << "two stores on one port";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_THAT(text, HasSubstr("port " + std::to_string(store->getPort()) + " of 127.0.0.1"));
    EXPECT_THAT(text, HasSubstr("in use"));
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

TEST(Introduce, AnotherProcessOfTheSameRankIsOfAnotherJob) {
  const Membership member = MemberOf(c10::make_intrusive<c10d::HashStore>(), 0, 2, milliseconds(100));
  EXPECT_THROW(AwaitIntroduced(member, 1), PeerError);
  Introduce(*member.store, 1, {"here", "a: 1\n"});
  EXPECT_EQ(AwaitIntroduced(member, 1).place, "here");
  EXPECT_EQ(AwaitIntroduced(member, 1).settings, "a: 1\n");
  EXPECT_THROW(Introduce(*member.store, 1, {"here", "a: 1\n"}), Error);
}

}  // namespace
}  // namespace gradwire
