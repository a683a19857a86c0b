// SPDX-License-Identifier: Apache-2.0
#include "train/saves.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>

#include <fmt/format.h>

#include "train/config_keys.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step";

constexpr std::array<std::string_view, 11> kMayDiffer = {
    "run.output_dir", "run.nproc",   "run.launch",     "data.root",   "model.init",
    "train.epochs",   "train.steps", "train.slow_", "comm.timeout_s", "checkpoint.", "log."};

bool MayDiffer(std::string_view key) {
  return std::ranges::any_of(
      kMayDiffer, [&](std::string_view begin) { return begin.ends_with('.') || begin.ends_with('_') ? key.starts_with(begin) : key == begin; });
}

std::optional<uint64_t> StepOf(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  uint64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return step;
}

std::map<std::string, std::string> Lines(const std::string& text) {
  std::map<std::string, std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) lines[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return lines;
}

std::string ValueIn(const std::map<std::string, std::string>& lines, const std::string& key) {
  if (const auto found = lines.find(key); found != lines.end()) return found->second;
  const Key* known = FindKey(key);
  return known != nullptr ? known->default_text : "(nothing)";
}

}  // namespace

std::string SavesFolder(const Config& config) { return config.run.output_dir + "/checkpoints"; }

std::string StepFolder(const std::string& saves, uint64_t step) {
  return fmt::format("{}/{}{:08}", saves, kPrefix, step);
}

std::string RankFile(const std::string& step_folder, int rank) { return fmt::format("{}/rank{}", step_folder, rank); }

std::vector<uint64_t> StepsIn(const std::string& saves) {
  std::vector<uint64_t> steps;
  std::error_code failed;
  for (fs::directory_iterator entry(saves, failed), end; !failed && entry != end; entry.increment(failed))
    if (const auto step = StepOf(entry->path().filename().string())) steps.push_back(*step);
  std::ranges::sort(steps);
  return steps;
}

void Prune(const std::string& saves, const OwnSaves& own, int64_t keep, int rank) {
  std::vector<uint64_t> steps = StepsIn(saves);
  const auto theirs = std::ranges::partition(steps, [&](uint64_t step) { return own.Has(step); });
  std::vector<uint64_t> doomed(theirs.begin(), theirs.end());
  std::vector<uint64_t> mine(steps.begin(), theirs.begin());
  std::ranges::sort(mine);
  const size_t kept = std::min(mine.size(), static_cast<size_t>(keep));
  doomed.insert(doomed.end(), mine.begin(), mine.end() - static_cast<std::ptrdiff_t>(kept));
  for (const uint64_t step : doomed) {
    const std::string folder = StepFolder(saves, step);
    std::error_code ignored;
    if (rank == 0) {
      // It gives up where another rank removes its file at the same moment.
      for (int attempt = 0; attempt < 3 && fs::exists(folder, ignored); ++attempt) fs::remove_all(folder, ignored);
    } else {
      fs::remove(RankFile(folder, rank), ignored);
      fs::remove(folder, ignored);  // only an empty one
    }
  }
}

std::string SettingsText(const Config& config) {
  std::string text;
  for (const Key& key : Keys())
    if (!MayDiffer(key.name)) text += fmt::format("{}: {}\n", key.name, key.print(config));
  return text;
}

std::string SettingsDifference(const std::string& saved, const std::string& now) {
  const auto there = Lines(saved), here = Lines(now);
  std::set<std::string> keys;
  for (const auto& lines : {there, here})
    for (const auto& [key, value] : lines) keys.insert(key);
  std::string text;
  for (const std::string& key : keys) {
    const std::string found = ValueIn(there, key), expected = ValueIn(here, key);
    if (found != expected) text += fmt::format("\n  {}: saved with {}, this run has {}", key, found, expected);
  }
  return text;
}

}  // namespace gradwire::train
