// SPDX-License-Identifier: Apache-2.0
#include "train/launch/stop_signal.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace gradwire::train {
namespace {

void Default() {
  // Ignored where the tests run as a shell's background job, or under nohup.
  for (const int number : kStopSignals) signal(number, SIG_DFL);
}

/// The wait status of a process that runs `body`.
template <typename Body>
int StatusOf(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    Default();
    body();
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST(StopSignal, FirstOneIsNotedAndSoIsItsRepetition) {
  const int status = StatusOf([] {
    const StopSignal stop;
    if (stop.received() != 0) _exit(1);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGINT);
    if (stop.received() != SIGTERM) _exit(2);
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(StopSignal, EachOfThemIsNoted) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    const int status = StatusOf([number] {
      const StopSignal stop;
      kill(getpid(), number);
      if (stop.received() != number) _exit(1);
    });
    EXPECT_EQ(status, 0) << number;
  }
}

TEST(StopSignal, LaterOneEndsTheProcessAtOnce) {
  const int status = StatusOf([] {
    const StopSignal stop;
    kill(getpid(), SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    kill(getpid(), SIGINT);
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
}

TEST(StopSignal, IgnoredSignalsStaySo) {
  const int status = StatusOf([] {
    signal(SIGINT, SIG_IGN);
    const StopSignal stop;
    kill(getpid(), SIGINT);
    if (stop.received() != 0) _exit(1);
  });
  EXPECT_EQ(status, 0);
}

TEST(StopSignal, PutsBackWhatSignalsDidBefore) {
  const int status = StatusOf([] {
    { const StopSignal stop; }
    kill(getpid(), SIGTERM);
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

}  // namespace
}  // namespace gradwire::train
