// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "analysis/models.h"

namespace gradwire::train {

struct AnalyseScaleOptions {
  std::string method;                ///< empty: the table of levels
  std::vector<std::string> changes;  ///< "eta=0.1", "batch=4", "workers=8", "compressor=SPEC"
  double eta = 0.01;
  size_t batch = 1, workers = 1, dimension = 10;
  std::string compressor = "identity";
  double beta1 = 0.9, beta2 = 0.999, decay = 0;
  size_t paths = 2000;  ///< of the table
  uint64_t seed = 1;
  size_t threads = 1;
  bool check = false;      ///< of the table: the exit code says whether all levels are as they should be
  std::string plot, json;  ///< files to write; empty: none
};

/// `gradwire analyse scale`: what to change beside a change so that the stationary level stays, by every rule of the
/// method; or, without a method, levels simulated with and without. Returns the exit code. Throws ConfigError, which
/// names the option.
int AnalyseScale(const AnalyseScaleOptions& options, std::ostream& out);

}  // namespace gradwire::train
