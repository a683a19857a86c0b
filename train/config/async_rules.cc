// SPDX-License-Identifier: Apache-2.0
#include "train/config/async_rules.h"

#include <map>

#include "gradwire/method.h"

namespace gradwire::train {

AsyncConfig RulesOf(const AsyncRunConfig& config) {
  static const std::map<std::string, Assign> rules = {{"pure", Assign::kPure},
                                                      {"random", Assign::kRandom},
                                                      {"shuffled", Assign::kShuffled},
                                                      {"shuffle_once", Assign::kShuffleOnce}};
  return {rules.at(config.assign), config.wait_for, config.max_staleness};
}

ExchangeParts DownPartsOf(const Config& config) {
  CommConfig down;
  down.method = config.async.down == "identity" ? "none" : "dcgd";
  down.compressor = config.async.down;
  down.piece = config.comm.piece;
  down.min_compress_numel = config.objective.is_network() ? config.comm.min_compress_numel : 0;
  down.compress_1d = config.comm.compress_1d || !config.objective.is_network();
  return MakeParts(down, config.run.seed);
}

AsyncParts AsyncPartsOf(const Config& config) {
  return {MakeParts(CommOf(config), config.run.seed), DownPartsOf(config)};
}

DelayModel DelaysOf(const AsyncRunConfig& config, size_t workers) {
  using Kind = DelayModel::Kind;
  static const std::map<std::string, Kind> kinds = {{"none", Kind::kNone},
                                                    {"fixed", Kind::kFixed},
                                                    {"poisson", Kind::kPoisson},
                                                    {"normal", Kind::kNormal},
                                                    {"uniform", Kind::kUniform}};
  DelayModel delays{kinds.at(config.delay), {}};
  for (size_t i = 0; i < workers; ++i) delays.speed.push_back(config.speeds[i % config.speeds.size()]);
  return delays;
}

Config WithoutExchange(Config config) {
  config.comm = {.method = "none", .compressor = "identity", .timeout_s = config.comm.timeout_s};
  return config;
}

}  // namespace gradwire::train
