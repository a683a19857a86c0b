// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace gradwire::train {

struct AnalyseAveragingOptions {
  std::vector<size_t> peers = {512, 768, 900};
  std::vector<double> failures = {0, 0.01};
  std::vector<std::string> methods = {"allreduce", "gossip", "push_sum", "random", "grid", "moshpit"};
  size_t side = 32, dims = 2, restarts = 100, cap = 50;
  uint64_t seed = 1;
  size_t threads = 1;
  bool check = false;  ///< the exit code says whether all cells are near the authors'
  std::string json;    ///< file to write; empty: none
};

/// `gradwire analyse averaging`: rounds of averaging until peers agree, beside the authors' numbers, and what a peer
/// sends. Returns the exit code. Throws ConfigError, which names the option.
int AnalyseAveraging(const AnalyseAveragingOptions& options, std::ostream& out);

}  // namespace gradwire::train
