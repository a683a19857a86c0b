// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/saves.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step";

std::optional<uint64_t> StepOf(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  uint64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return step;
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

}  // namespace gradwire::train
