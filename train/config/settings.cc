// SPDX-License-Identifier: Apache-2.0
#include "train/config/settings.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "train/config/config_keys.h"

namespace gradwire::train {
namespace {

/// A key that need not be the same, or those that begin so. All others must be.
struct MayDiffer {
  std::string_view begin;
  bool among_ranks;  // else only of a save and the run that goes on from it, and of a worker and its server
  std::string_view reason;
};

constexpr std::array<MayDiffer, 14> kMayDiffer = {{
    {"run.output_dir", true, "where a rank writes"},
    {"run.nproc", true, "how many ranks the launcher starts: WORLD_SIZE is what counts"},
    {"run.launch", true, "how they are started"},
    {"run.threads", true, "who does the work: any number of threads gives the same numbers"},
    {"data.root", true, "hosts have folders of their own: what is in them is compared"},
    {"model.init", true, "a file on rank 0's host, whose weights all ranks get"},
    {"train.slow_", true, "makes a rank slow, and changes no number"},
    {"comm.threads", true, "how many cores a rank has to encode with: the bits are the same"},
    {"comm.timeout_s", true, "how patient a rank is"},
    {"train.epochs", false, "how long the run is: it may get longer"},
    {"train.steps", false, "how long the run is"},
    {"checkpoint.", false, "when to save; all ranks save together"},
    {"log.every_steps", false, "when to write; all ranks do it together"},
    {"log.eval_every", false, "when to evaluate; all ranks do it together"},
}};

bool IsPart(std::string_view key, bool among_ranks) {
  return std::ranges::none_of(kMayDiffer, [&](const MayDiffer& row) {
    const bool is_prefix = row.begin.ends_with('.') || row.begin.ends_with('_');
    return (row.among_ranks || !among_ranks) && (is_prefix ? key.starts_with(row.begin) : key == row.begin);
  });
}

using Lines = std::map<std::string, std::string>;

Lines LinesOf(const std::string& text) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) lines[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return lines;
}

std::string ValueOf(const Lines& lines, const std::string& key) {
  if (const auto found = lines.find(key); found != lines.end()) return found->second;
  if (key == "comm.when") return "always";  // what runs did before there was the key
  const Key* known = FindKey(key);
  return known != nullptr ? known->default_text : "(nothing)";
}

std::string Differences(const std::string& a, std::string_view a_has, const std::string& b, std::string_view b_has) {
  const Lines there = LinesOf(a), here = LinesOf(b);
  std::set<std::string> keys;
  for (const auto& lines : {there, here})
    for (const auto& [key, value] : lines) keys.insert(key);
  std::string text;
  for (const std::string& key : keys) {
    const std::string found = ValueOf(there, key), expected = ValueOf(here, key);
    if (found != expected) text += fmt::format("\n  {}: {} {}, {} {}", key, a_has, found, b_has, expected);
  }
  return text;
}

/// A folder to resume from may lie elsewhere on each host.
std::string Printed(const Key& key, const Config& config, bool among_ranks) {
  const bool is_folder = key.name == "checkpoint.resume" && config.checkpoint.resume.find('/') != std::string::npos;
  return among_ranks && is_folder ? "a folder" : key.print(config);
}

std::string Text(const Config& config, bool among_ranks) {
  std::string text;
  for (const Key& key : Keys())
    if (IsPart(key.name, among_ranks)) text += fmt::format("{}: {}\n", key.name, Printed(key, config, among_ranks));
  return text;
}

}  // namespace

std::string SettingsText(const Config& config) { return Text(config, false); }

std::string RankSettingsText(const Config& config) { return Text(config, true); }

std::string SettingsDifference(const std::string& saved, const std::string& now) {
  return Differences(saved, "saved with", now, "this run has");
}

std::string RankDifference(int rank, const std::string& theirs, int other, const std::string& others) {
  return Differences(theirs, fmt::format("rank {} has", rank), others, fmt::format("rank {} has", other));
}

std::string ValueIn(const std::string& text, const std::string& key) { return ValueOf(LinesOf(text), key); }

}  // namespace gradwire::train
