// SPDX-License-Identifier: Apache-2.0
// InitFromEnv for ranks that are threads of this process (they share its environment, so that only rank 0 reads it).
#include "gradwire/c10d_init.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <cstdlib>
#include <future>

#include "c10d/init.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

/// A port that is free on this machine now: that of a store which is gone.
int FreePort() {
  c10d::TCPStoreOptions options;
  options.port = 0;
  options.isServer = true;
  options.waitWorkers = false;
  return c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options)->getPort();
}

RankEnv Place(int rank, int size, int port) { return {rank, size, rank, size, "127.0.0.1", port, false}; }

void SetEnvironment(const RankEnv& env) {
  const auto set = [](const char* name, const std::string& value) { setenv(name, value.c_str(), 1); };
  set("RANK", std::to_string(env.rank));
  set("WORLD_SIZE", std::to_string(env.world_size));
  set("LOCAL_RANK", std::to_string(env.local_rank));
  set("LOCAL_WORLD_SIZE", std::to_string(env.local_world_size));
  set("MASTER_ADDR", env.master_addr);
  set("MASTER_PORT", std::to_string(env.master_port));
  unsetenv("TORCHELASTIC_USE_AGENT_STORE");
}

TEST(InitFromEnv, JoinsTheRanksOfTheEnvironment) {
  const int port = FreePort();
  SetEnvironment(Place(0, 2, port));
  auto other = std::async(std::launch::async, [&] { return JoinRanks(Place(1, 2, port), 30s); });
  const Job job = InitFromEnv(30s), theirs = other.get();
  EXPECT_EQ(job.membership.rank, 0);
  EXPECT_EQ(theirs.membership.rank, 1);
  EXPECT_EQ(theirs.local_rank, 1);
  EXPECT_EQ(job.local_world_size, 2);
  EXPECT_EQ(job.group->getSize(), 2);
  EXPECT_EQ(job.places, theirs.places);
  EXPECT_THAT(job.places, testing::Each(HasSubstr("127.0.0.1 (lo")));
}

TEST(InitFromEnv, OneRankIsAJob) {
  SetEnvironment(Place(0, 1, FreePort()));
  EXPECT_EQ(InitFromEnv(30s).group->getSize(), 1);
}

TEST(InitFromEnv, ARankThatDoesNotComeIsNamed) {
  SetEnvironment(Place(0, 2, FreePort()));
  try {
    InitFromEnv(300ms);
    FAIL() << "joined a rank that was never started";
  } catch (const PeerError& error) {
    EXPECT_EQ(error.rank(), 1);
    EXPECT_THAT(error.what(), HasSubstr("rank 1 of 2 has not joined"));
  }
}

TEST(InitFromEnv, WithoutTheEnvironmentItSaysHowToStart) {
  unsetenv("RANK");
  unsetenv("WORLD_SIZE");
  try {
    InitFromEnv();
    FAIL() << "joined nobody";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("torchrun --no-python"));
  }
}

}  // namespace
}  // namespace gradwire
