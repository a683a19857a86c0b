// SPDX-License-Identifier: Apache-2.0
// A comparison as a table and as CSV.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "train/report/run_table.h"
#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

constexpr double kTargets[] = {1e-3, 1e-6, 1e-10};

/// The last y at or before x.
double ValueAt(const Curve& curve, double x) {
  double value = curve.y.front();
  for (size_t k = 0; k < curve.x.size() && curve.x[k] <= x; ++k) value = curve.y[k];
  return value;
}

/// The largest x that all runs reached; one that diverged has no say unless all did.
double Reached(const RunTable& table) {
  const bool all_diverged =
      std::all_of(table.curves.begin(), table.curves.end(), [](const Curve& c) { return c.diverged; });
  double reached = std::numeric_limits<double>::infinity();
  for (const Curve& curve : table.curves)
    if (all_diverged || !curve.diverged) reached = std::min(reached, curve.x.back());
  return reached;
}

std::string FirstAtMost(const Curve& curve, double target) {
  for (size_t k = 0; k < curve.x.size(); ++k)
    if (curve.y[k] <= target) return fmt::format("{:.4g}", curve.x[k]);
  return "-";
}

/// Where runs of different data stand side by side.
std::string DataNote(const RunTable& table) {
  std::vector<std::string> data;
  for (const Curve& curve : table.curves)
    if (!curve.data.empty() && std::ranges::find(data, curve.data) == data.end()) data.push_back(curve.data);
  return data.size() < 2 ? "" : fmt::format("note: these runs are of different data: {}\n", fmt::join(data, "; "));
}

/// As CSV has it: in quotes where it holds a comma, a quote or a line's end.
std::string Cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::string ToText(const RunTable& table) {
  const double reached = Reached(table);
  TextRows rows = {{"run", fmt::format("final {}", table.y->name), fmt::format("at {:.4g} {}", reached, table.x->name),
                    fmt::format("final {}", table.x->name)}};
  if (!table.y->rises)
    for (const double target : kTargets) rows[0].push_back(fmt::format("{} to {:.0e}", table.x->name, target));
  for (const Curve& curve : table.curves) {
    rows.push_back({curve.name, curve.diverged ? "diverged" : fmt::format("{:.4g}", curve.y.back()),
                    fmt::format("{:.4g}", ValueAt(curve, reached)), fmt::format("{:.4g}", curve.x.back())});
    if (!table.y->rises)
      for (const double target : kTargets) rows.back().push_back(FirstAtMost(curve, target));
  }
  return Align(rows) + DataNote(table);
}

std::string ToCsv(const RunTable& table) {
  std::string text = fmt::format("run,method,compressor,{},{}\n", table.x->name, table.y->name);
  for (const Curve& curve : table.curves)
    for (size_t k = 0; k < curve.x.size(); ++k)
      text += fmt::format("{},{},{},{},{}\n", Cell(curve.name), Cell(curve.method), Cell(curve.compressor), curve.x[k],
                          curve.y[k]);
  return text;
}

}  // namespace gradwire::train
