// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace gradwire::train {

struct LaunchOptions {
  int nproc = 1;
  int master_port = 0;       ///< of the TCPStore on 127.0.0.1, which the caller serves until RunLocalRanks returns
  double grace_s = 305;      ///< from a rank's failure until the others get SIGTERM: comm.timeout_s and 5 s to say why
  double kill_s = 10;        ///< from SIGTERM, or a signal passed on, until SIGKILL
  std::string program = "";  ///< path; empty: this program
  std::vector<std::string> arguments = {};  ///< the program's name first, as in argv
};

/// Starts nproc ranks on this machine, each with its RankEnv in the environment, and waits until all have ended. Says
/// on stderr which rank failed and how. SIGINT and SIGTERM are passed on; a second one kills at once. The ranks die
/// with the thread that calls this, whatever ends it: call it from the main thread.
///
/// Returns 0, the exit code of the rank that failed first (128 + signal where one killed it), or 128 + the signal that
/// was passed on.
int RunLocalRanks(const LaunchOptions& options);

}  // namespace gradwire::train
