// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/rank_env.h"
#include "train/launch/signal_pipe.h"

namespace gradwire::train {

/// This process's environment with what `env` says in it, and, unless they are set, OMP_NUM_THREADS = cores /
/// local_world_size, at least 1, and GLIBC_TUNABLES, which asks for memory in huge pages.
std::vector<std::string> EnvironmentOf(const RankEnv& env);

/// Starts `program` (a path) with `arguments` (its name first) as a child that dies with the calling thread, in the
/// same process group. Throws Error where no process can be made; exits with 127 where the program cannot be run.
pid_t StartProcess(const std::string& program, const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment, const SignalPipe& signals);

/// "exited with code 3", "was killed by SIGKILL".
std::string DescribeExit(int wait_status);

/// The exit code; 128 + the signal's number where one killed it, as in shells.
int ExitCode(int wait_status);

}  // namespace gradwire::train
