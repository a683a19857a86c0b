// SPDX-License-Identifier: Apache-2.0
#include "train/sweep.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "train/config.h"

namespace gradwire::train {
namespace {

constexpr size_t kMaxRuns = 10000;

struct Setting {
  std::string key;
  std::vector<std::string> values;
};

/// Splits at the commas outside of brackets.
std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> values(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '[') ++depth;
    if (c == ']') --depth;
    if (c == ',' && depth == 0)
      values.emplace_back();
    else
      values.back() += c;
  }
  return values;
}

/// A value as part of a folder's name.
std::string FolderName(const std::string& key, std::string value) {
  std::replace(value.begin(), value.end(), '/', '_');
  return key.substr(key.rfind('.') + 1) + "=" + value;
}

/// The configuration's output folder.
std::string BaseFolder(const std::string& config_file, const std::vector<Setting>& settings) {
  std::vector<Override> first;
  for (const Setting& setting : settings) first.push_back(ParseOverride(setting.key + "=" + setting.values[0]));
  return LoadConfig(config_file, first).run.output_dir;
}

SweepRun MakeRun(const std::string& config_file, const std::string& base, const std::vector<Setting>& settings,
                 size_t index) {
  std::vector<std::string> words(settings.size()), names;
  for (size_t s = settings.size(); s-- > 0;) {
    const Setting& setting = settings[s];
    const std::string& value = setting.values[index % setting.values.size()];
    index /= setting.values.size();
    words[s] = setting.key + "=" + value;
    if (setting.values.size() > 1) names.insert(names.begin(), FolderName(setting.key, value));
  }
  SweepRun run{names.empty() ? base : fmt::format("{}/{}", base, fmt::join(names, ",")),
               {"gradwire", "train", config_file}};
  for (const std::string& word : words)
    if (!word.starts_with("run.output_dir=")) run.arguments.push_back(word);
  run.arguments.push_back("run.output_dir=" + run.folder);
  return run;
}

}  // namespace

SweepPlan PlanSweep(const std::string& config_file, const std::vector<std::string>& words) {
  std::vector<Setting> settings;
  size_t count = 1;
  for (const std::string& word : words) {
    const Override override = ParseOverride(word);
    settings.push_back({override.key, Split(override.value)});
    if (override.key == "run.output_dir" && settings.back().values.size() > 1)
      throw ConfigError(
          fmt::format("command line, '{}': expected one folder, which gets one below it for each run", word));
    count *= settings.back().values.size();
    if (count > kMaxRuns)
      throw ConfigError(fmt::format("command line, '{}': makes more than {} runs, expected fewer", word, kMaxRuns));
  }
  const std::string base = BaseFolder(config_file, settings);
  SweepPlan plan;
  std::set<std::string> folders;
  for (size_t index = 0; index < count; ++index) {
    plan.runs.push_back(MakeRun(config_file, base, settings, index));
    const SweepRun& run = plan.runs.back();
    if (!folders.insert(run.folder).second)
      throw ConfigError(fmt::format("two runs of the sweep would write to {}: expected every value once", run.folder));
    std::vector<Override> overrides;
    for (size_t k = 3; k < run.arguments.size(); ++k) overrides.push_back(ParseOverride(run.arguments[k]));
    LoadConfig(config_file, overrides);
  }
  return plan;
}

}  // namespace gradwire::train
