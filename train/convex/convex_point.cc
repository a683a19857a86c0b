// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_point.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
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
  const auto refuse = [&](const std::string& what) {
    throw ErrorAt(config, "analysis.reference",
                  fmt::format("{} {}; expected the {} numbers of the last point of a run of this problem", file, what,
                              dimension));
  };
  std::ifstream in(file);
  if (!in) refuse("cannot be read");
  std::vector<double> x;
  for (std::string line; std::getline(in, line);) x.push_back(std::strtod(line.c_str(), nullptr));
  if (x.size() != dimension) refuse(fmt::format("has {} numbers", x.size()));
  if (!std::ranges::all_of(x, [](double v) { return std::isfinite(v); }))
    refuse("is not finite: that run diverged (a smaller optimizer.lr may help)");
  return x;
}

}  // namespace gradwire::train
