// SPDX-License-Identifier: Apache-2.0
#include "train/report/run_table.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "gradwire/error.h"
#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxLine = size_t{1} << 20;  // bytes; the parser takes any depth, without recursion
constexpr size_t kMaxLines = 1'000'000;

struct Run {
  std::string folder;
  std::vector<Json> records;
};

Run ReadRun(const std::string& path) {
  const std::filesystem::path given(path);
  const bool is_file = given.filename() == "metrics.jsonl";
  Run run{is_file ? given.parent_path().string() : path, {}};
  while (run.folder.size() > 1 && run.folder.back() == '/') run.folder.pop_back();
  const std::string file = is_file ? path : (given / "metrics.jsonl").string();
  std::ifstream in(file);
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(file, ignored))
    throw ConfigError(fmt::format("{}: cannot be read; expected the output folder of a run", file));
  size_t number = 0;
  for (std::string line; ReadLine(in, line, kMaxLine);) {
    if (++number > kMaxLines)
      throw ConfigError(fmt::format("{}: more than {} lines, expected fewer records", file, kMaxLines));
    Json record;
    if (line.size() <= kMaxLine) record = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object())
      throw ConfigError(fmt::format("{}:{}: found '{}', expected a JSON object of at most {} bytes", file, number,
                                    Shown(line, 40), kMaxLine));
    run.records.push_back(std::move(record));
  }
  return run;
}

std::optional<double> ValueOf(const Json& record, const Axis& axis) {
  for (const std::string_view field : axis.fields)
    if (const auto found = record.find(field); found != record.end() && found->is_number())
      return found->get<double>() * (field == "bytes_total" ? 8 : 1);
  return std::nullopt;
}

std::string TextOf(const Json& record, const char* field) {
  const auto found = record.find(field);
  return found != record.end() && found->is_string() ? found->get<std::string>() : "";
}

bool Has(const Run& run, const Axis& axis) {
  return std::any_of(run.records.begin(), run.records.end(),
                     [&](const Json& r) { return ValueOf(r, axis).has_value(); });
}

const Axis& FindAxis(const std::vector<Axis>& axes, const std::string& name, std::string_view option) {
  std::vector<std::string_view> names;
  for (const Axis& axis : axes) {
    if (axis.name == name) return axis;
    names.push_back(axis.name);
  }
  throw ConfigError(fmt::format("{}: '{}' is unknown; expected one of {}", option, name, fmt::join(names, ", ")));
}

/// The quantity asked for, or the first that every run has.
const Axis& ChooseY(const std::vector<Run>& runs, const std::string& name) {
  if (!name.empty()) return FindAxis(YAxes(), name, "--y");
  for (const Axis& axis : YAxes())
    if (std::all_of(runs.begin(), runs.end(), [&](const Run& run) { return Has(run, axis); })) return axis;
  throw ConfigError("the runs have no quantity in common to compare them by; see the fields of their metrics.jsonl");
}

Curve CurveOf(const Run& run, const Axis& x, const Axis& y) {
  Curve curve;
  curve.name = run.folder;
  for (const Json& record : run.records) {
    if (const std::string method = TextOf(record, "method"); !method.empty()) curve.method = method;
    if (const std::string compressor = TextOf(record, "compressor"); !compressor.empty()) curve.compressor = compressor;
    if (const std::string data = TextOf(record, "data"); !data.empty()) curve.data = data;
    if (const auto found = record.find("diverged"); found != record.end()) curve.diverged = *found == true;
    const auto at = ValueOf(record, x), value = ValueOf(record, y);
    if (!at || !value || record.contains("final")) continue;  // the final record repeats the last one
    curve.x.push_back(*at), curve.y.push_back(*value);
  }
  if (curve.x.empty())
    throw ConfigError(
        fmt::format("{}: no record has both {} and {}; expected another --x or --y", run.folder, x.name, y.name));
  return curve;
}

/// Leaves out of the names the folders that all of them begin with.
void ShortenNames(std::vector<Curve>& curves) {
  const std::string first = curves[0].name;
  size_t common = 0;
  for (size_t k = 0; k < first.size(); ++k) {
    const bool shared = std::all_of(curves.begin(), curves.end(), [&](const Curve& curve) {
      return curve.name.compare(0, k + 1, first, 0, k + 1) == 0 && curve.name.size() > k + 1;
    });
    if (!shared) break;
    if (first[k] == '/') common = k + 1;
  }
  for (Curve& curve : curves) curve.name.erase(0, common);
}

}  // namespace

const std::vector<Axis>& XAxes() {
  static const std::vector<Axis> axes = {
      {"bits", "bits sent by a rank", {"bits_up", "bytes_total"}},
      {"payload_bits", "bits sent by a rank, without frames", {"bits_payload"}},
      {"steps", "rounds", {"step"}},
      {"seconds", "seconds", {"wall_s"}},
      {"passes", "passes over the data", {"passes", "epoch"}},
      {"clock", "simulated clock", {"clock"}},
      {"paper_bits", "bits of a rank's messages, as papers count", {"bits_paper"}},
  };
  return axes;
}

const std::vector<Axis>& YAxes() {
  static const std::vector<Axis> axes = {
      {"f_gap", "f(x) - f*", {"f_gap"}},
      {"grad_norm", "||grad f(x)||", {"grad_norm"}},
      {"loss", "training loss", {"loss"}},
      {"test_acc", "test accuracy", {"test_acc"}, true},
      {"dist", "||x - x*||", {"dist"}},
      {"f", "f(x)", {"f"}},
      {"f_avg_gap", "f(average) - f*", {"f_avg_gap"}},
  };
  return axes;
}

RunTable ReadRuns(const std::vector<std::string>& paths, const CompareOptions& options) {
  if (paths.empty()) throw ConfigError("found no run to compare, expected the output folders of some");
  std::vector<Run> runs;
  for (const std::string& path : paths) runs.push_back(ReadRun(path));
  RunTable table{&FindAxis(XAxes(), options.x, "--x"), &ChooseY(runs, options.y), {}};
  for (const Run& run : runs) table.curves.push_back(CurveOf(run, *table.x, *table.y));
  ShortenNames(table.curves);
  return table;
}

std::string Compare(const std::vector<std::string>& runs, const CompareOptions& options) {
  const RunTable table = ReadRuns(runs, options);
  if (!options.csv.empty()) WriteFile(options.csv, ToCsv(table));
  if (!options.plot.empty()) WriteFile(options.plot, ToSvg(table));
  return ToText(table);
}

}  // namespace gradwire::train
