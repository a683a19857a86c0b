// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "gradwire/method.h"
#include "train/config.h"
#include "train/config_keys.h"

namespace gradwire::train {
namespace {

void CheckOptimizer(const Config& config) {
  if (config.optimizer.nesterov && config.optimizer.momentum == 0)
    throw ErrorAt(config, "optimizer.momentum",
                  fmt::format("found 0, expected a number > 0 because optimizer.nesterov is true ({}); set "
                              "optimizer.nesterov to false for plain SGD",
                              config.PlaceOf("optimizer.nesterov")));
}

void CheckLrScheduler(const Config& config) {
  const LrSchedulerConfig& scheduler = config.lr_scheduler;
  const std::vector<double>& milestones = scheduler.milestones;
  if (std::adjacent_find(milestones.begin(), milestones.end(), std::greater_equal<>()) != milestones.end())
    throw ErrorAt(config, "lr_scheduler.milestones",
                  fmt::format("found [{}], expected epochs that increase", fmt::join(milestones, ", ")));
  if ((scheduler.name == "multistep") != !milestones.empty())
    throw ErrorAt(config, milestones.empty() ? "lr_scheduler.name" : "lr_scheduler.milestones",
                  fmt::format("found [{}] as milestones of {}; expected milestones for multistep, and for multistep "
                              "alone",
                              fmt::join(milestones, ", "), scheduler.name));
  if (scheduler.warmup_epochs > 0 && scheduler.warmup_epochs >= static_cast<double>(config.train.epochs))
    throw ErrorAt(config, "lr_scheduler.warmup_epochs",
                  fmt::format("found {}, expected fewer than train.epochs, which is {} ({})", scheduler.warmup_epochs,
                              config.train.epochs, config.PlaceOf("train.epochs")));
}

void CheckObjective(const Config& config) {
  const ObjectiveConfig& objective = config.objective;
  if (objective.is_network()) {
    if (config.run.launch == "threads")
      throw ErrorAt(config, "run.launch", "found threads, expected processes because objective.name is network");
    if (config.optimizer.lr.is_theory)
      throw ErrorAt(config, "optimizer.lr", "found theory, expected a number because objective.name is network");
    if (!FindMethod(config.comm.method).runs_on_network())
      throw ErrorAt(
          config, "comm.method",
          fmt::format("found {}, whose workers send more than a mini-batch's gradient (an anchor's, a momentum, "
                      "the one at the solution); expected a method of plain ones (ec, diana, ef21), or a "
                      "convex objective",
                      config.comm.method));
    return;
  }
  const bool named = objective.data == "q3" || objective.data == "qh";
  if (named != (objective.name == "quadratic"))
    throw ErrorAt(
        config, "objective.data",
        fmt::format("found {}, expected {} because objective.name is {} ({})", objective.data,
                    named ? "lr, lr2 or a LIBSVM file" : "q3 or qh", objective.name, config.PlaceOf("objective.name")));
  if (config.train.steps == 0)
    throw ErrorAt(config, "train.steps",
                  fmt::format("found 0, expected the number of rounds because objective.name is {}", objective.name));
  if ((objective.prox == "none") != (objective.prox_lambda == 0))
    throw ErrorAt(config, "objective.prox_lambda",
                  fmt::format("found {} with objective.prox {}; expected a number > 0 for l1 and l2, and 0 for none",
                              objective.prox_lambda, objective.prox));
  if (config.lr_scheduler.name != "constant")
    throw ErrorAt(config, "lr_scheduler.name",
                  fmt::format("found {}, expected constant because objective.name is {}", config.lr_scheduler.name,
                              objective.name));
}

void CheckMode(const Config& config) {
  if (config.train.mode == "local") {
    if (config.optimizer.lr.is_theory)
      throw ErrorAt(config, "optimizer.lr",
                    "found theory, which is of gradient rounds; expected a number because train.mode is local");
    if (config.objective.prox != "none")
      throw ErrorAt(config, "objective.prox",
                    "a regulariser is a step of gradient rounds; expected none because train.mode is local");
    return;
  }
  for (const Key& key : Keys())
    if (key.section() == "local" && key.print(config) != key.default_text)
      throw ErrorAt(config, key.name,
                    fmt::format("found {}, expected the default {} because train.mode is {} ({}); set it to local",
                                key.print(config), key.default_text, config.train.mode, config.PlaceOf("train.mode")));
}

void CheckCheckpoint(const Config& config) {
  if (config.objective.is_network()) return;
  for (const Key& key : Keys())
    if (key.section() == "checkpoint" && key.print(config) != key.default_text)
      throw ErrorAt(
          config, key.name,
          fmt::format("found {}, expected the default {} because objective.name is {} ({}): only runs of "
                      "networks can be saved, not the estimators of convex problems",
                      key.print(config), key.default_text, config.objective.name, config.PlaceOf("objective.name")));
}

}  // namespace

std::string Config::PlaceOf(std::string_view key) const {
  const auto found = places.find(key);
  return found == places.end() ? "default value" : found->second;
}

ConfigError ErrorAt(const Config& config, std::string_view key, std::string_view message) {
  return ConfigError(fmt::format("{}: {}: {}", config.PlaceOf(key), key, message));
}

void CheckTogether(const Config& config) {
  CheckOptimizer(config);
  CheckLrScheduler(config);
  try {
    Check(config.comm);
  } catch (const ConfigError& error) {  // its message begins with the key: "comm.method: ..."
    const std::string_view message = error.what();
    throw ConfigError(fmt::format("{}: {}", config.PlaceOf(message.substr(0, message.find(':'))), message));
  }
  CheckObjective(config);
  CheckMode(config);
  CheckCheckpoint(config);
}

}  // namespace gradwire::train
