// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace gradwire::train {

struct LaunchOptions {
  int nproc = 1;
  std::string master_addr = "127.0.0.1";
  int master_port = 0;          ///< of the TCPStore there, which the caller serves until RunLocalRanks returns
  bool store_is_served = true;  ///< false: rank 0 serves it
  /// Empty, or for each rank the words in front of its command, a path first: where it runs (`ip netns exec NAME`).
  std::vector<std::vector<std::string>> prefixes = {};
  double grace_s = 305;  ///< from a rank's failure until the others get SIGTERM: comm.timeout_s and 5 s to say why
  double kill_s = 10;    ///< from SIGTERM, or a signal passed on, until SIGKILL
  /// Above 0: ranks save after a signal and then exit with 128 + its number, for which they have so many seconds in
  /// place of kill_s. What they exit with is then the exit code: a run that was complete before it could stop has 0.
  double save_s = 0;
  /// Set where the other ranks are workers of rank 0, which goes on without them: their failures, of which this is
  /// called with "exited with code 2" or "was killed by SIGKILL", are said (unless a signal was passed on), and are not
  /// the run's.
  std::function<void(int rank, const std::string& how)> worker_failed = {};
  /// With it: whether rank 0 has taken note of all those failures. Where it has not grace_s after one of them, it is
  /// frozen: that is said, and the run is ended as a failed one.
  std::function<bool()> server_hears = {};
  double serverless_s = 10;                 ///< with it: in place of grace_s, where it is rank 0 that failed
  std::string program = "";                 ///< path; empty: this program
  std::vector<std::string> arguments = {};  ///< the program's name first, as in argv
};

/// Starts nproc ranks on this machine, each with its RankEnv in the environment, and waits until all have ended. Says
/// on stderr which rank failed and how, and after a failure whom it waits for. SIGINT, SIGTERM, SIGHUP and SIGUSR1 are
/// passed on; a second one kills at once. The ranks die with the thread that calls this, whatever ends it: call it from
/// the main thread.
///
/// Returns 0, the exit code of the rank that failed first (128 + signal where one killed it), or 128 + the signal that
/// was passed on.
int RunLocalRanks(const LaunchOptions& options);

}  // namespace gradwire::train
