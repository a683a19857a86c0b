// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/resume.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <random>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "train/checkpoint/saves.h"
#include "train/config/settings.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

// What a rank says of a save: one of these, and then the label that all ranks must share, or the reason.
constexpr std::string_view kGood = "good ", kDamaged = "damaged ", kRefused = "refused ";

SaveLabel LabelOf(const Snapshot& file) {
  return {file.Value<uint64_t>("job"), file.Value<uint64_t>("step"), static_cast<int>(file.Value<uint32_t>("rank")),
          static_cast<int>(file.Value<uint32_t>("world size")), file.Text("settings")};
}

Snapshot ReadAs(const std::string& folder, int rank) {
  Snapshot file = Snapshot::Read(RankFile(folder, rank));
  if (const int found = LabelOf(file).rank; found != rank)
    throw Error(fmt::format("{}: was written by rank {}, expected rank {}", file.path(), found, rank));
  return file;
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// This rank's file of a save by as many ranks, else the files of all its ranks.
Save ReadSave(const std::string& folder, int rank, int size) {
  Save save;
  save.folder = folder;
  if (Exists(RankFile(folder, rank))) {
    save.files.push_back(ReadAs(folder, rank));
    if (LabelOf(save.files[0]).world_size == size) return save;
  }
  save.files = {};
  save.files.push_back(ReadAs(folder, 0));
  const int old = LabelOf(save.files[0]).world_size;
  save.other_world = old != size;
  if (!save.other_world) save.files = {};
  const auto count = save.other_world ? old : 0;
  for (int other = 1; other < count; ++other) save.files.push_back(ReadAs(folder, other));
  if (save.files.empty()) save.files.push_back(ReadAs(folder, rank));  // says what is wrong with it
  return save;
}

/// Throws Error where the files are not of one save, ConfigError where it is of other settings.
std::string CheckedLabel(const Save& save, const std::string& settings) {
  const SaveLabel first = LabelOf(save.files[0]);
  for (const Snapshot& file : save.files) {
    const SaveLabel label = LabelOf(file);
    if (label.job != first.job || label.step != first.step)
      throw Error(fmt::format("{}: was written by another run than {}", file.path(), save.files[0].path()));
  }
  const std::string difference = SettingsDifference(first.settings, settings);
  if (!difference.empty())
    throw ConfigError(fmt::format("{}: was saved with other settings:{}", save.files[0].path(), difference));
  return fmt::format("{:016x} {} {}", first.job, first.step, first.world_size);
}

/// A save as all ranks see it: usable, or why not.
struct Verdict {
  std::string damage;
  Save save;
};

/// What a rank says of a save, which it has then read.
std::string Describe(const std::string& folder, const std::string& settings, int rank, int size, Save& save) {
  try {
    save = ReadSave(folder, rank, size);
    save.step = LabelOf(save.files[0]).step;
    return std::string(kGood) + CheckedLabel(save, settings);
  } catch (const ConfigError& error) {
    return std::string(kRefused) + error.what();
  } catch (const Error& error) {
    return std::string(kDamaged) + error.what();
  }
}

/// Why the save that all ranks have read cannot be used; empty where it can.
std::string DamageIn(const std::vector<std::string>& all) {
  for (size_t rank = 0; rank < all.size(); ++rank)
    if (all[rank].starts_with(kDamaged)) return fmt::format("rank {}: {}", rank, all[rank].substr(kDamaged.size()));
  for (const std::string& said : all)
    if (said.starts_with(kRefused))
      throw ConfigError("checkpoint.resume",
                        fmt::format("{}\nGive the run the settings that it was saved with, or start "
                                    "another one in another run.output_dir (model.init takes a model.pt)",
                                    said.substr(kRefused.size())));
  for (size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank] != all[0])
      return fmt::format("its files are of different saves (run, step, ranks): rank 0 read {}, and rank {} read {}",
                         all[0].substr(kGood.size()), rank, all[rank].substr(kGood.size()));
  return "";
}

Verdict Judge(const std::string& folder, const std::string& settings, const Ranks& ranks) {
  Verdict verdict;
  std::vector<std::string> mine;
  for (const int rank : ranks.own()) {
    Save save;
    // Of another world the first rank has read all files.
    mine.push_back(verdict.save.other_world ? mine[0] : Describe(folder, settings, rank, ranks.size(), save));
    if (mine.size() == 1)
      verdict.save = std::move(save);
    else
      std::ranges::move(save.files, std::back_inserter(verdict.save.files));
  }
  verdict.damage = DamageIn(ranks.Gather(mine));
  return verdict;
}

/// All ranks' steps: ranks may have disks of their own.
std::set<uint64_t> AllSteps(const std::string& saves, const Ranks& ranks) {
  std::set<uint64_t> steps;
  for (const std::string& said : ranks.Gather({fmt::format("{}", fmt::join(StepsIn(saves), " "))})) {
    std::istringstream words(said);
    for (uint64_t step; words >> step;) steps.insert(step);
  }
  return steps;
}

/// Saves of two histories in one folder could not be told apart later.
void RefuseToMix(const Config& config, const std::set<uint64_t>& steps, uint64_t begin) {
  const auto later = steps.upper_bound(begin);
  if (!config.checkpoint.saves() || later == steps.end()) return;
  throw ErrorAt(config, "checkpoint.resume",
                fmt::format("found {}, and {} holds saves of another run, up to step {}; expected auto to go on from "
                            "them, another run.output_dir, or that folder removed",
                            config.checkpoint.resume, SavesFolder(config), *steps.rbegin()));
}

ResumePoint FromNewest(const std::string& saves, const std::set<uint64_t>& steps, const std::string& settings,
                       const Ranks& ranks) {
  ResumePoint point;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::string folder = StepFolder(saves, *step);
    Verdict verdict = Judge(folder, settings, ranks);
    if (verdict.damage.empty() && verdict.save.step != *step)
      verdict.damage = fmt::format("its files are of step {}", verdict.save.step);
    if (verdict.damage.empty()) {
      point.save = std::move(verdict.save);
      point.save->is_own = true;
      return point;
    }
    point.notes.push_back(fmt::format("checkpoint: {} is passed over: {}", folder, verdict.damage));
  }
  point.notes.push_back(fmt::format("checkpoint: no save to go on from in {}; from the start", saves));
  return point;
}

ResumePoint FromFolder(const Config& config, const std::set<uint64_t>& steps, const Ranks& ranks) {
  Verdict verdict = Judge(config.checkpoint.resume, SettingsText(config), ranks);
  if (!verdict.damage.empty())
    throw ErrorAt(config, "checkpoint.resume",
                  fmt::format("found {}, expected never, auto or the folder of a save that all ranks can read, such as "
                              "{}; {}",
                              config.checkpoint.resume, StepFolder(SavesFolder(config), 120), verdict.damage));
  std::error_code ignored;
  verdict.save.is_own =
      fs::equivalent(config.checkpoint.resume, StepFolder(SavesFolder(config), verdict.save.step), ignored);
  RefuseToMix(config, steps, verdict.save.is_own ? verdict.save.step : 0);
  return {std::move(verdict.save), {}};
}

}  // namespace

void PutLabel(Snapshot& file, const SaveLabel& label) {
  file.PutValue("job", label.job);
  file.PutValue("step", label.step);
  file.PutValue("rank", static_cast<uint32_t>(label.rank));
  file.PutValue("world size", static_cast<uint32_t>(label.world_size));
  file.Put("settings", std::span<const char>(label.settings));
}

uint64_t DrawJob(const Ranks& ranks) {
  std::random_device device;
  const uint64_t mine = static_cast<uint64_t>(device()) << 32 | device();
  return std::stoull(ranks.Gather({std::to_string(mine)})[0]);
}

ResumePoint ChooseResumePoint(const Config& config, const Ranks& ranks) {
  const std::string saves = SavesFolder(config);
  const std::set<uint64_t> steps = AllSteps(saves, ranks);
  if (config.checkpoint.resume == "auto") return FromNewest(saves, steps, SettingsText(config), ranks);
  if (config.checkpoint.resume != "never") return FromFolder(config, steps, ranks);
  RefuseToMix(config, steps, 0);
  return {};
}

}  // namespace gradwire::train
