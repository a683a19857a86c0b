// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_point.h"

#include <cmath>
#include <fstream>

#include <fmt/format.h>

#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

std::string FileIn(const std::string& folder) { return folder + "/point.txt"; }

}  // namespace

void WritePoint(const std::string& folder, std::span<const double> x) {
  std::string text;
  for (const double value : x) text += fmt::format("{:.17g}\n", value);
  WriteFile(FileIn(folder), text);
}

std::vector<double> ReadReference(const Config& config, size_t dimension) {
  const std::string file = FileIn(config.analysis.reference);
  std::ifstream in(file);
  std::vector<double> x;
  for (double value; in >> value;) x.push_back(value);
  const bool is_whole = in.eof() && x.size() == dimension;
  if (!is_whole)
    throw ErrorAt(config, "analysis.reference",
                  fmt::format("{} has {} numbers, expected the {} of the last point of a run of this problem that was "
                              "finite",
                              file, x.size(), dimension));
  return x;
}

}  // namespace gradwire::train
