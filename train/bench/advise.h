// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "train/bench/exchange.h"

namespace gradwire::train {

struct AdviseOptions {
  std::string model = "resnet18";             ///< as ModelShapesOf takes it
  int ranks = 2;                              ///< of the job
  int ranks_per_host = 1;                     ///< of them, that share a host's link
  double backward_ms = 0;                     ///< beside which bytes may travel; 0: not known
  std::vector<std::string> compressors = {};  ///< as ParseVariant takes them; empty: the usual ones
  std::string rate = {};                      ///< of a host's link, "1gbit"; empty: the link that there is
  std::string json = {};                      ///< file to write; empty: none
  double timeout_s = 120;                     ///< of any wait for a rank
  /// Whether this process is a rank that the command has started, one for a host; else torchrun's, one of the job.
  bool is_started = false;
};

/// The word that says so.
inline constexpr const char* kStarted = "--started";

/// `gradwire bench advise`: measures the link between hosts (processes over loopback, or hosts in network namespaces
/// with a rate; as a rank of torchrun, between all of its ranks) and the operators at work, a minute at most, and says
/// which pays by the model of comm.when. Where a rate cannot be made, for want of root or of torch, it is taken at its
/// word. Rank 0 speaks. Returns the exit code. Throws ConfigError that says what can be asked instead.
int BenchAdvise(const AdviseOptions& options, const ExchangeDoor& door);

}  // namespace gradwire::train
