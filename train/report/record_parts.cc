// SPDX-License-Identifier: Apache-2.0
#include "train/report/record_parts.h"

#include <fmt/format.h>

namespace gradwire::train {

std::vector<Field> StalenessFields(const AsyncStats& stats) {
  return {
      {"tau_max", stats.tau_max}, {"tau_c", stats.tau_c}, {"dropped", stats.dropped}, {"staleness", stats.staleness}};
}

std::string TableRow(std::string_view name, std::string_view value) { return fmt::format("  {:<22}{}", name, value); }

std::string StalenessRow(const AsyncStats& stats) {
  return TableRow("staleness", fmt::format("at most {}, {} jobs at once, {} gradients dropped", stats.tau_max,
                                           stats.tau_c, stats.dropped));
}

}  // namespace gradwire::train
