// SPDX-License-Identifier: Apache-2.0
#include "train/launch/launch.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "base/notice.h"
#include "base/rank_env.h"
#include "train/launch/rank_process.h"
#include "train/launch/signal_pipe.h"

namespace gradwire::train {
namespace {

SignalPipe::Clock::time_point In(double seconds) {
  using Clock = SignalPipe::Clock;
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

class Launcher {
 public:
  explicit Launcher(const LaunchOptions& options) : options_(options) {}
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  int Run();

 private:
  using Clock = SignalPipe::Clock;

  struct Rank {
    int rank = 0;
    pid_t pid = 0;
  };

  void StartAll();
  void Reap();
  void Ended(int rank, int wait_status);
  void Stop(const SignalPipe::Event& event);
  std::optional<Clock::time_point> NextDeadline() const;
  void Overdue();
  void CheckServer();
  void SayWhoIsLeft();
  void Insist();
  void SendAll(int signal) const;
  void SendLater(int signal, double seconds);

  const LaunchOptions& options_;
  SignalPipe signals_;
  std::vector<Rank> running_;
  int exit_code_ = 0;
  bool stopping_ = false;  // a signal was passed on: the ranks' ends are no news
  int stop_code_ = 0;      // what ranks that have saved exit with
  int next_signal_ = 0;    // what running ranks get at the deadline
  std::optional<Clock::time_point> deadline_;
  std::optional<Clock::time_point> server_deadline_;  // by which the server shall have heard of a failure
  std::optional<Clock::time_point> notice_at_;        // when to say whom the deadline is for
};

/// Ranks are left only where starting one of them failed.
Launcher::~Launcher() {
  SendAll(SIGKILL);
  for (const Rank& rank : running_) waitpid(rank.pid, nullptr, 0);
}

int Launcher::Run() {
  StartAll();
  while (!running_.empty()) {
    const std::optional<SignalPipe::Event> event = signals_.Wait(NextDeadline());
    if (!event) {
      Overdue();
    } else if (event->signal == SIGCHLD) {
      Reap();
    } else {
      Stop(*event);
    }
  }
  return exit_code_;
}

void Launcher::StartAll() {
  const std::string program =
      options_.program.empty() ? std::filesystem::read_symlink("/proc/self/exe").string() : options_.program;
  RankEnv env{.world_size = options_.nproc,
              .local_world_size = options_.nproc,
              .master_addr = options_.master_addr,
              .master_port = options_.master_port,
              .store_is_served = options_.store_is_served};
  for (int rank = 0; rank < options_.nproc; ++rank) {
    env.rank = env.local_rank = rank;
    std::vector<std::string> command = options_.arguments;
    if (!options_.prefixes.empty()) {
      command[0] = program;
      const auto& prefix = options_.prefixes[static_cast<size_t>(rank)];
      command.insert(command.begin(), prefix.begin(), prefix.end());
    }
    running_.push_back(
        {rank, StartProcess(options_.prefixes.empty() ? program : command[0], command, EnvironmentOf(env), signals_)});
  }
}

/// One SIGCHLD may stand for several children. Waits for our own only: the program may have others.
void Launcher::Reap() {
  std::erase_if(running_, [this](const Rank& rank) {
    int wait_status = 0;
    if (waitpid(rank.pid, &wait_status, WNOHANG) != rank.pid) return false;
    Ended(rank.rank, wait_status);
    return true;
  });
}

void Launcher::Ended(int rank, int wait_status) {
  const int code = ExitCode(wait_status);
  const bool was_server = options_.worker_failed && rank == 0;
  const double grace_s = was_server && code != 0 ? std::min(options_.grace_s, options_.serverless_s) : options_.grace_s;
  if (was_server && !deadline_) SendLater(SIGTERM, grace_s);
  if (code == 0 || (stopping_ && stop_code_ == 0)) return;
  if (options_.worker_failed && rank != 0) {
    if (!stopping_) fmt::print(stderr, "gradwire: rank {} {}\n", rank, DescribeExit(wait_status));
    if (options_.server_hears && !server_deadline_) server_deadline_ = In(options_.grace_s);
    return options_.worker_failed(rank, DescribeExit(wait_status));
  }
  const bool has_failed = exit_code_ != 0 && exit_code_ != stop_code_;
  if (!has_failed) exit_code_ = code;
  if (code == stop_code_) return;
  fmt::print(stderr, "gradwire: rank {} {}\n", rank, DescribeExit(wait_status));
  if (!has_failed && !stopping_) SendLater(SIGTERM, grace_s);
}

void Launcher::Stop(const SignalPipe::Event& event) {
  const bool ranks_save = options_.save_s > 0 && !stopping_;
  stop_code_ = ranks_save ? 128 + event.signal : 0;
  if (!ranks_save && exit_code_ == 0) exit_code_ = 128 + event.signal;
  if (stopping_) return SendAll(SIGKILL);
  stopping_ = true;
  if (!event.from_terminal) SendAll(event.signal);  // from Ctrl-C, the ranks have it already
  SendLater(SIGKILL, ranks_save ? options_.save_s : options_.kill_s);
}

std::optional<Launcher::Clock::time_point> Launcher::NextDeadline() const {
  std::optional<Clock::time_point> next = deadline_;
  for (const auto& other : {server_deadline_, notice_at_})
    if (other && (!next || *other < *next)) next = other;
  return next;
}

void Launcher::Overdue() {
  const auto now = Clock::now();
  const auto is_over = [&](std::optional<Clock::time_point>& deadline) {
    if (!deadline || *deadline > now) return false;
    deadline.reset();
    return true;
  };
  if (is_over(server_deadline_)) CheckServer();
  if (is_over(notice_at_)) SayWhoIsLeft();
  if (is_over(deadline_)) Insist();
}

void Launcher::CheckServer() {
  const bool runs = std::ranges::any_of(running_, [](const Rank& rank) { return rank.rank == 0; });
  if (!runs || deadline_ || options_.server_hears()) return;
  fmt::print(stderr, "gradwire: rank 0, the server, has not heard for {:.0f} s that a worker has ended: it is frozen\n",
             options_.grace_s);
  exit_code_ = 1;
  next_signal_ = SIGKILL;
  Insist();
}

void Launcher::SayWhoIsLeft() {
  std::vector<int> ranks;
  for (const Rank& rank : running_) ranks.push_back(rank.rank);
  if (!deadline_ || ranks.empty()) return;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*deadline_ - Clock::now());
  SayOnStderr(fmt::format("waits for {} to end; SIG{} follows in {}", NameRanks(ranks), sigabbrev_np(next_signal_),
                          Seconds(left)));
  notice_at_ = In(60);
}

void Launcher::Insist() {
  for (const Rank& rank : running_)
    fmt::print(stderr, "gradwire: rank {} does not end by itself: SIG{}\n", rank.rank, sigabbrev_np(next_signal_));
  SendAll(next_signal_);
  deadline_.reset();
  if (next_signal_ == SIGTERM) SendLater(SIGKILL, options_.kill_s);
}

void Launcher::SendAll(int signal) const {
  for (const Rank& rank : running_) kill(rank.pid, signal);
}

void Launcher::SendLater(int signal, double seconds) {
  next_signal_ = signal;
  deadline_ = In(seconds);
  if (seconds >= 2) notice_at_ = In(std::min(10.0, seconds / 2));
}

}  // namespace

int RunLocalRanks(const LaunchOptions& options) { return Launcher(options).Run(); }

}  // namespace gradwire::train
