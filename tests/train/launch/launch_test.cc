// SPDX-License-Identifier: Apache-2.0
#include "train/launch/launch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "train/launch/rank_process.h"
#include "train/launch/signal_pipe.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kPort = 29511;  // nobody listens: the ranks are shell scripts

/// Ranks that run a shell script in a folder of their own, with a fifo in it to wait for one another.
class Launch : public testing::Test {
 protected:
  Launch() : folder_(testing::TempDir() + "launch." + std::to_string(getpid())) {
    std::filesystem::create_directory(folder_);
    mkfifo((folder_ + "/fifo").c_str(), 0600);
    unsetenv("OMP_NUM_THREADS");
    unsetenv("GLIBC_TUNABLES");
  }
  ~Launch() override { std::filesystem::remove_all(folder_); }

  LaunchOptions Options(int nproc, const std::string& script) const {
    return {.nproc = nproc,
            .master_port = kPort,
            .program = "/bin/sh",
            .arguments = {"sh", "-c", "cd " + folder_ + "\n" + script}};
  }

  /// The exit code; what was written to stderr is in `said_`.
  int Run(const LaunchOptions& options) {
    testing::internal::CaptureStderr();
    const int exit_code = RunLocalRanks(options);
    said_ = testing::internal::GetCapturedStderr();
    return exit_code;
  }
  int Run(int nproc, const std::string& script) { return Run(Options(nproc, script)); }

  std::string Line(const std::string& file) const {
    std::ifstream in(folder_ + "/" + file);
    std::string line;
    std::getline(in, line);
    return line;
  }

  std::string folder_;
  std::string said_;
};

TEST_F(Launch, EveryRankGetsItsEnvironment) {
  const std::string script =
      "echo $RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR $MASTER_PORT "
      "$TORCHELASTIC_USE_AGENT_STORE > rank$RANK";
  setenv("RANK", "stale", 1);
  EXPECT_EQ(Run(3, script), 0);
  unsetenv("RANK");
  for (const std::string rank : {"0", "1", "2"})
    EXPECT_EQ(Line("rank" + rank), rank + " 3 " + rank + " 3 127.0.0.1 29511 True");
  EXPECT_EQ(said_, "");
}

TEST_F(Launch, CoresAreSharedOutUnlessTheUserSaysHowMany) {
  const unsigned cores = std::thread::hardware_concurrency();
  EXPECT_EQ(Run(1, "echo $OMP_NUM_THREADS > threads"), 0);
  EXPECT_EQ(Line("threads"), std::to_string(cores));
  EXPECT_EQ(Run(static_cast<int>(cores) + 1, "[ $RANK != 0 ] || echo $OMP_NUM_THREADS > threads"), 0);
  EXPECT_EQ(Line("threads"), "1");
  setenv("OMP_NUM_THREADS", "7", 1);
  EXPECT_EQ(Run(1, "echo $OMP_NUM_THREADS > threads"), 0);
  EXPECT_EQ(Line("threads"), "7");
}

TEST_F(Launch, MemoryComesInHugePagesUnlessTheUserTunesGlibc) {
  EXPECT_EQ(Run(1, "echo $GLIBC_TUNABLES > tunables"), 0);
  EXPECT_EQ(Line("tunables"), "glibc.malloc.hugetlb=1");
  setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0", 1);
  EXPECT_EQ(Run(1, "echo $GLIBC_TUNABLES > tunables"), 0);
  EXPECT_EQ(Line("tunables"), "glibc.malloc.hugetlb=0");
}

TEST_F(Launch, ExitCodeIsThatOfTheRankThatFailed) {
  EXPECT_EQ(Run(3, "[ $RANK != 1 ] || exit 7"), 7);
  EXPECT_THAT(said_, HasSubstr("rank 1 exited with code 7\n"));
}

TEST_F(Launch, SignalThatKilledARankIsNamed) {
  EXPECT_EQ(Run(2, "[ $RANK != 1 ] || kill -KILL $$"), 128 + SIGKILL);
  EXPECT_THAT(said_, HasSubstr("rank 1 was killed by SIGKILL\n"));
}

TEST_F(Launch, OtherRanksMayEndByThemselvesAfterAFailure) {
  EXPECT_EQ(Run(2,
                "if [ $RANK = 0 ]; then echo $$ > fifo; exit 3; fi\n"
                "read other < fifo; while kill -0 $other 2> gone; do :; done; exit 9"),
            3);  // reaped, then gone
  EXPECT_THAT(said_, HasSubstr("rank 0 exited with code 3\n"));
  EXPECT_THAT(said_, HasSubstr("rank 1 exited with code 9\n"));
  EXPECT_THAT(said_, Not(HasSubstr("does not end")));
}

TEST_F(Launch, RanksThatHangAfterAFailureAreTerminated) {
  LaunchOptions options = Options(2, "[ $RANK = 1 ] || exit 3; exec sleep 1000");
  options.grace_s = 0;
  EXPECT_EQ(Run(options), 3);
  EXPECT_THAT(said_, HasSubstr("rank 1 does not end by itself: SIGTERM\n"));
  EXPECT_THAT(said_, HasSubstr("rank 1 was killed by SIGTERM\n"));
}

TEST_F(Launch, RanksThatIgnoreSigtermAreKilled) {
  LaunchOptions options = Options(2,
                                  "if [ $RANK = 0 ]; then read x < fifo; exit 3; fi\n"
                                  "trap '' TERM; echo > fifo; exec sleep 1000");
  options.grace_s = options.kill_s = 0;
  EXPECT_EQ(Run(options), 3);
  EXPECT_THAT(said_, HasSubstr("rank 1 was killed by SIGKILL\n"));
}

TEST_F(Launch, SigtermReachesTheRanks) {
  EXPECT_EQ(Run(2,
                "if [ $RANK = 0 ]; then read x < fifo; kill -TERM $PPID; exec sleep 1000; fi\n"
                "trap 'echo TERM > got; exit 0' TERM; echo > fifo; while :; do :; done"),
            128 + SIGTERM);
  EXPECT_EQ(Line("got"), "TERM");
  EXPECT_EQ(said_, "");  // the ranks' ends are no news then
}

TEST_F(Launch, SignalsOfSchedulersAndTerminalsReachTheRanks) {
  for (const auto& [name, number] : {std::pair{"HUP", SIGHUP}, {"USR1", SIGUSR1}}) {
    signal(number, SIG_DFL);  // ignored where the tests run under nohup
    const std::string it = name;
    LaunchOptions options =
        Options(2, "if [ $RANK = 0 ]; then trap 'exit " + std::to_string(128 + number) + "' " + it +
                       "; read x < fifo; kill -" + it + " $PPID\nelse trap 'echo " + it + " > got; exit " +
                       std::to_string(128 + number) + "' " + it + "; echo > fifo; fi; while :; do :; done");
    options.save_s = 1e6;
    EXPECT_EQ(Run(options), 128 + number);
    EXPECT_EQ(Line("got"), name);
    EXPECT_EQ(said_, "");
  }
}

TEST_F(Launch, SecondSignalKills) {
  LaunchOptions options = Options(1, "trap 'kill -TERM $PPID' TERM; kill -TERM $PPID; while :; do :; done");
  options.kill_s = 1e6;
  EXPECT_EQ(Run(options), 128 + SIGTERM);
}

/// Rank 0 has the launcher stopped once rank 1 is ready; both end by the trap as they are told.
std::string StoppedRanks(const std::string& zero, const std::string& one) {
  return "if [ $RANK = 0 ]; then trap '" + zero + "' TERM; read x < fifo; kill -TERM $PPID\n" + "else trap '" + one +
         "' TERM; echo > fifo; fi; while :; do :; done";
}

TEST_F(Launch, RanksThatSaveSayHowItWent) {
  LaunchOptions options = Options(2, StoppedRanks("exit 143", "exit 143"));
  options.save_s = 1e6;
  EXPECT_EQ(Run(options), 128 + SIGTERM);
  EXPECT_EQ(said_, "");
  options.arguments = Options(2, StoppedRanks("exit 0", "exit 0")).arguments;  // the run was complete
  EXPECT_EQ(Run(options), 0);
  options.arguments = Options(2, StoppedRanks("exit 143", "exit 1")).arguments;
  EXPECT_EQ(Run(options), 1);
  EXPECT_EQ(said_, "gradwire: rank 1 exited with code 1\n");
}

TEST_F(Launch, RanksThatDoNotSaveInTimeAreKilled) {
  LaunchOptions options = Options(1, "trap '' TERM; kill -TERM $PPID; while :; do :; done");
  options.save_s = 0.1;
  EXPECT_EQ(Run(options), 128 + SIGKILL);
  EXPECT_THAT(said_, HasSubstr("rank 0 does not end by itself: SIGKILL\n"));
}

TEST_F(Launch, SecondSignalKillsRanksThatSave) {
  LaunchOptions options = Options(1, "trap 'kill -TERM $PPID' TERM; kill -TERM $PPID; while :; do :; done");
  options.save_s = 1e6;
  EXPECT_EQ(Run(options), 128 + SIGTERM);
}

TEST_F(Launch, ProgramThatCannotBeRunIsNamed) {
  EXPECT_EQ(Run({.nproc = 1, .program = "/no/such/program", .arguments = {"x"}}), 127);
  EXPECT_THAT(said_, HasSubstr("cannot run /no/such/program: No such file or directory"));
}

/// Whether everybody who holds the write end has closed it, that is, has ended. A minute is for broken code only.
bool AllEnded(int read_fd) {
  pollfd closed{read_fd, POLLIN, 0};
  char byte;
  return poll(&closed, 1, 60'000) == 1 && read(read_fd, &byte, 1) == 0;
}

TEST_F(Launch, RanksDieWithAKilledLauncher) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const int fifo = open((folder_ + "/fifo").c_str(), O_RDWR);
  const pid_t launcher = fork();
  if (launcher == 0) _exit(RunLocalRanks(Options(2, "echo > fifo; exec sleep 1000")));
  close(fds[1]);
  char byte;
  for (int rank = 0; rank < 2; ++rank) ASSERT_EQ(read(fifo, &byte, 1), 1);  // both have started
  close(fifo);
  kill(launcher, SIGKILL);
  EXPECT_TRUE(AllEnded(fds[0]));
  EXPECT_EQ(waitpid(launcher, nullptr, 0), launcher);
  close(fds[0]);
}

TEST(SignalPipe, TellsCtrlCFromKill) {
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child < 0) GTEST_SKIP() << "no pseudo-terminal can be opened here (forkpty failed): is /dev/pts mounted?";
  if (child == 0) {
    signal(SIGINT, SIG_DFL);  // ignored where the tests run as a shell's background job
    SignalPipe signals;
    kill(getpid(), SIGINT);
    const bool killed = !signals.Wait({})->from_terminal;
    if (write(STDOUT_FILENO, "!", 1) != 1) _exit(2);
    _exit(killed && signals.Wait({})->from_terminal ? 0 : 1);
  }
  char byte = 0;
  EXPECT_EQ(read(terminal, &byte, 1), 1);
  EXPECT_EQ(write(terminal, "\x03", 1), 1);
  int wait_status = -1;
  EXPECT_EQ(waitpid(child, &wait_status, 0), child);
  EXPECT_EQ(ExitCode(wait_status), 0);
  close(terminal);
}

TEST(SignalPipe, PutsBackWhatSignalsDidBefore) {
  struct sigaction before {
  }, after{};
  sigaction(SIGTERM, nullptr, &before);
  { SignalPipe signals; }
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST_F(Launch, WorkersThatFailAreReportedAndNoFailureOfTheRun) {
  LaunchOptions options = Options(3, "case $RANK in 1) exit 7;; 2) kill -KILL $$;; esac");
  std::vector<std::string> failed(3);
  options.worker_failed = [&](int rank, const std::string& how) { failed[static_cast<size_t>(rank)] = how; };
  EXPECT_EQ(Run(options), 0) << said_;
  EXPECT_EQ(failed, (std::vector<std::string>{"", "exited with code 7", "was killed by SIGKILL"}));
  EXPECT_THAT(said_, HasSubstr("rank 1 exited with code 7"));
}

TEST_F(Launch, WorkersOfAServerThatFailedAreNotLeftWaiting) {
  LaunchOptions options = Options(3, "[ $RANK != 0 ] || exit 2; exec sleep 1000");
  options.worker_failed = [](int, const std::string&) {};
  options.grace_s = 1000, options.serverless_s = 0;
  EXPECT_EQ(Run(options), 2);
}

TEST_F(Launch, AServerThatHearsOfNoFailureIsFrozen) {
  LaunchOptions options = Options(2, "if [ $RANK = 1 ]; then read x < fifo; exit 1; fi; echo > fifo; exec sleep 1000");
  options.worker_failed = [](int, const std::string&) {};
  options.grace_s = options.kill_s = 0;
  options.server_hears = [] { return false; };
  EXPECT_EQ(Run(options), 1);
  EXPECT_THAT(said_, HasSubstr("rank 0, the server, has not heard"));
  options.server_hears = [] { return true; };
  options.arguments = Options(2, "if [ $RANK = 1 ]; then exit 1; fi; sleep 1").arguments;
  EXPECT_EQ(Run(options), 0);
  EXPECT_THAT(said_, Not(HasSubstr("has not heard")));
}

TEST_F(Launch, WhoIsWaitedForAfterAFailureIsSaid) {
  LaunchOptions options = Options(3, "[ $RANK != 1 ] || exit 3; exec sleep 1000");
  options.grace_s = 2;
  EXPECT_EQ(Run(options), 3);
  EXPECT_THAT(said_, HasSubstr("waits for ranks 0, 2 to end; SIGTERM follows in 1 s\n"));
}

}  // namespace
}  // namespace gradwire::train
