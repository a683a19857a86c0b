// SPDX-License-Identifier: Apache-2.0
#include "train/launch/rank_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Runs in the child of a process that may have threads: async-signal-safe calls only.
[[noreturn]] void Become(const char* program, char* const* arguments, char* const* environment, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent died before that
  execve(program, arguments, environment);
  for (const char* text : {"gradwire: cannot run ", program, ": ", strerrordesc_np(errno), "\n"})
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
  _exit(127);
}

}  // namespace

std::vector<std::string> EnvironmentOf(const RankEnv& env) {
  std::vector<std::string> variables = {
      fmt::format("RANK={}", env.rank),
      fmt::format("WORLD_SIZE={}", env.world_size),
      fmt::format("LOCAL_RANK={}", env.local_rank),
      fmt::format("LOCAL_WORLD_SIZE={}", env.local_world_size),
      fmt::format("MASTER_ADDR={}", env.master_addr),
      fmt::format("MASTER_PORT={}", env.master_port),
      fmt::format("TORCHELASTIC_USE_AGENT_STORE={}", env.store_is_served ? "True" : "False"),
  };
  if (std::getenv("OMP_NUM_THREADS") == nullptr) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    variables.push_back(fmt::format("OMP_NUM_THREADS={}", std::max(1, cores / env.local_world_size)));
  }
  // glibc then asks for huge pages (since 2.35), where the system gives them on request only: a pass e += v over two
  // vectors of 45 MB takes 0.73 of its time (AMD EPYC), and all that an exchange does is a few such passes.
  if (std::getenv("GLIBC_TUNABLES") == nullptr) variables.emplace_back("GLIBC_TUNABLES=glibc.malloc.hugetlb=1");
  const size_t own = variables.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry, name = variable.substr(0, variable.find('=') + 1);
    const auto replaces = [&](const std::string& ours) { return ours.starts_with(name); };
    if (std::none_of(variables.begin(), variables.begin() + own, replaces)) variables.emplace_back(variable);
  }
  return variables;
}

pid_t StartProcess(const std::string& program, const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment, const SignalPipe& signals) {
  const std::vector<char*> argv = Pointers(arguments), envp = Pointers(environment);
  const pid_t parent = getpid();
  // A signal between fork and exec must not reach our handler in the child: it would write into the parent's pipe.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  if (pid == 0) {
    signals.Restore();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    Become(program.c_str(), argv.data(), envp.data(), parent);
  }
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) throw Error(fmt::format("cannot start a process for {}: {}", program, std::strerror(error)));
  return pid;
}

std::string DescribeExit(int wait_status) {
  if (WIFEXITED(wait_status)) return fmt::format("exited with code {}", WEXITSTATUS(wait_status));
  const char* name = sigabbrev_np(WTERMSIG(wait_status));
  return name != nullptr ? fmt::format("was killed by SIG{}", name)
                         : fmt::format("was killed by signal {}", WTERMSIG(wait_status));
}

int ExitCode(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace gradwire::train
