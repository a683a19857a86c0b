// SPDX-License-Identifier: Apache-2.0
#include "train/analyse/analyse_scale.h"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "analysis/gradient_method.h"
#include "base/text.h"
#include "compress/spec.h"
#include "gradwire/error.h"
#include "train/analyse/analyse_sde.h"
#include "train/analyse/scale_report.h"
#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

/// Of a run before or after its changes.
struct Scaled {
  double eta;
  size_t batch, workers;
  std::string compressor;
};

bool Reads(const SdeModel& model, std::string_view setting) { return std::ranges::count(model.reads, setting) > 0; }

size_t CountOf(const std::string& key, const std::string& value) {
  const auto count = ReadCount(value);
  if (!count || *count == 0) throw ConfigError(key, fmt::format("found '{}', expected 1 or more", Shown(value)));
  return *count;
}

double StepSizeOf(const std::string& value) {
  const auto eta = ReadNumber(value);
  if (!eta || !(*eta > 0)) throw ConfigError("eta", fmt::format("found '{}', expected a number above 0", Shown(value)));
  return *eta;
}

void Apply(const SdeModel& model, const ScalingRule& rule, const std::string& word, Scaled& run) {
  const size_t at = word.find('=');
  const std::string key = word.substr(0, at), value = at == word.npos ? "" : word.substr(at + 1);
  if (key == "eta") {
    run.eta = StepSizeOf(value);
  } else if (key == "batch") {
    run.batch = CountOf(key, value);
  } else if (key == "workers") {
    if (!rule.has_workers)
      throw ConfigError(key,
                        fmt::format("the rules of {} are of one worker; expected a change of the batch", model.name));
    run.workers = CountOf(key, value);
  } else if (key == "compressor") {
    if (!Reads(model, key)) throw ConfigError(key, fmt::format("{} has none; expected method dcsgd", model.name));
    run.compressor = value;
  } else {
    throw ConfigError(
        "CHANGE", fmt::format("found '{}', expected eta=, batch=, workers= or compressor= and a value", Shown(word)));
  }
}

void CheckBeta(const char* name, double beta) {
  if (!(beta >= 0 && beta < 1)) throw ConfigError(name, fmt::format("found {}, expected 0 <= beta < 1", beta));
}

ScaleChange ChangeOf(const Scaled& now, const Scaled& then, size_t dimension) {
  const auto ratio = [](size_t a, size_t b) { return static_cast<double>(a) / static_cast<double>(b); };
  return {.kappa = then.eta / now.eta,
          .delta = ratio(then.batch, now.batch),
          .alpha = ratio(then.workers, now.workers),
          .omega_before = ElementOmega(now.compressor, dimension),
          .omega_after = ElementOmega(then.compressor, dimension)};
}

std::string Described(const SdeModel& model, const Scaled& run, double omega) {
  std::string text = fmt::format("eta {:g}, batch {}", run.eta, run.batch);
  if (Reads(model, "workers")) text += fmt::format(", {} workers", run.workers);
  if (Reads(model, "compressor")) text += fmt::format(", {} (omega {:g})", run.compressor, omega);
  return text;
}

/// What the rules' steps may be of.
std::vector<std::string_view> SettingsOf(const SdeModel& model, const AnalyseScaleOptions& options) {
  std::vector<std::string_view> settings = {"eta", "batch"};
  if (Reads(model, "workers")) settings.push_back("workers");
  if (Reads(model, "rho1")) settings.push_back("1 - beta1");
  if (Reads(model, "rho2")) settings.push_back("1 - beta2");
  if (Reads(model, "decay") && options.decay > 0) settings.push_back("decay");
  return settings;
}

std::vector<std::string_view> KeysOf(const std::vector<std::string>& changes) {
  std::vector<std::string_view> keys;
  for (const std::string_view change : changes) keys.push_back(change.substr(0, change.find('=')));
  return keys;
}

void Advise(const AnalyseScaleOptions& options, std::ostream& out) {
  const SdeModel& model = FindSdeModel(options.method);
  const std::vector<ScalingRule> rules = RulesOf(options.method);
  if (options.changes.empty())
    throw ConfigError("CHANGE", "found none, expected what is changed: eta=, batch=, workers= or compressor=");
  CheckBeta("beta1", options.beta1), CheckBeta("beta2", options.beta2);
  Scaled now{};
  Apply(model, rules[0], fmt::format("eta={}", options.eta), now);
  now.batch = options.batch, now.workers = options.workers, now.compressor = "identity";
  if (options.compressor != now.compressor) Apply(model, rules[0], "compressor=" + options.compressor, now);
  if (options.workers != 1) Apply(model, rules[0], fmt::format("workers={}", options.workers), now);
  Scaled then = now;
  for (const std::string& change : options.changes) Apply(model, rules[0], change, then);
  const ScaleChange change = ChangeOf(now, then, options.dimension);
  out << fmt::format("{}, now:   {}\n{:<{}}then:  {}\n", model.name, Described(model, now, change.omega_before), "",
                     model.name.size() + 2, Described(model, then, change.omega_after));
  const ScalePoint point{
      then.eta,     static_cast<double>(then.workers), static_cast<double>(then.batch), options.beta1, options.beta2,
      options.decay};
  for (const ScalingRule& rule : rules)
    out << RuleText(rule, change, point, SettingsOf(model, options), KeysOf(options.changes));
}

}  // namespace

int AnalyseScale(const AnalyseScaleOptions& options, std::ostream& out) {
  if (!options.method.empty()) {
    Advise(options, out);
    return 0;
  }
  for (const std::string& file : {options.plot, options.json})
    if (!file.empty()) WriteFile(file, "");  // so that a name which cannot be written costs no time
  const std::vector<ScaleOutcome> outcomes = RunScaleSweep(options.paths, options.seed, options.threads);
  out << LevelsText(outcomes);
  if (!options.plot.empty()) WriteFile(options.plot, ToSvg(PictureOf(outcomes)));
  if (!options.json.empty()) WriteFile(options.json, LevelsJson(outcomes));
  return options.check && !std::ranges::all_of(outcomes, &ScaleOutcome::holds) ? kCheckMissed : 0;
}

}  // namespace gradwire::train
