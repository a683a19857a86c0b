// SPDX-License-Identifier: Apache-2.0
#include "train/sweep.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "train/config/config.h"
#include "train/data/inputs.h"

namespace gradwire::train {
namespace {

constexpr size_t kMaxRuns = 10000;

/// One word: keys that vary together, and the values that they take.
struct Setting {
  std::vector<std::string> keys;
  std::vector<std::vector<std::string>> choices;  ///< of as many values as keys
};

/// Splits at the separators outside of brackets.
std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> values(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '(') ++depth;
    if (c == ']' || c == ')') --depth;
    if (c == separator && depth == 0)
      values.emplace_back();
    else
      values.back() += c;
  }
  return values;
}

Setting ParseSetting(const std::string& word) {
  const Override override = ParseOverride(word);
  Setting setting{Split(override.key, ','), {}};
  if (setting.keys.size() == 1) {
    for (std::string& value : Split(override.value, ',')) setting.choices.push_back({std::move(value)});
    return setting;
  }
  for (const std::string& choice : Split(override.value, ';')) {
    setting.choices.push_back(Split(choice, ','));
    if (const size_t found = setting.choices.back().size(); found != setting.keys.size())
      throw ConfigError(fmt::format("command line, '{}': found {} values in '{}', expected {}, one for each key",
                                    Shown(word), found, Shown(choice), setting.keys.size()));
  }
  return setting;
}

/// A value as part of a folder's name.
std::string FolderName(const std::string& key, std::string value) {
  std::replace(value.begin(), value.end(), '/', '_');
  return key.substr(key.rfind('.') + 1) + "=" + value;
}

/// The configuration's output folder.
std::string BaseFolder(const std::string& config_file, const std::vector<Setting>& settings) {
  std::vector<Override> first;
  for (const Setting& setting : settings)
    for (size_t k = 0; k < setting.keys.size(); ++k)
      first.push_back(ParseOverride(setting.keys[k] + "=" + setting.choices[0][k]));
  return LoadConfig(config_file, first).run.output_dir;
}

SweepRun MakeRun(const std::string& config_file, const std::string& base, const std::vector<Setting>& settings,
                 size_t index) {
  std::vector<std::string> words, names;
  for (size_t s = settings.size(); s-- > 0;) {
    const Setting& setting = settings[s];
    const std::vector<std::string>& values = setting.choices[index % setting.choices.size()];
    index /= setting.choices.size();
    for (size_t k = setting.keys.size(); k-- > 0;) {
      words.insert(words.begin(), setting.keys[k] + "=" + values[k]);
      const bool says_nothing = setting.keys.size() > 1 && values[k] == "auto";  // long names hide what differs
      if (setting.choices.size() > 1 && !says_nothing)
        names.insert(names.begin(), FolderName(setting.keys[k], values[k]));
    }
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
    settings.push_back(ParseSetting(word));
    const Setting& setting = settings.back();
    if (setting.choices.size() > 1 && std::ranges::count(setting.keys, "run.output_dir") > 0)
      throw ConfigError(
          fmt::format("command line, '{}': expected one folder, which gets one below it for each run", Shown(word)));
    count *= setting.choices.size();
    if (count > kMaxRuns)
      throw ConfigError(
          fmt::format("command line, '{}': makes more than {} runs, expected fewer", Shown(word), kMaxRuns));
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
    CheckInputs(LoadConfig(config_file, overrides));
  }
  return plan;
}

}  // namespace gradwire::train
