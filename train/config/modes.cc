// SPDX-License-Identifier: Apache-2.0
#include "train/config/modes.h"

#include <algorithm>
#include <array>

#include "gossip/gossip_method.h"

namespace gradwire::train {
namespace {

constexpr std::array<Mode, 5> kModes = {{
    {.name = "sync", .driver = DriverKind::kRounds, .has_gradient_rounds = true},
    {.name = "async", .section = "async.", .driver = DriverKind::kServer, .has_server = true},
    {.name = "local", .section = "local.", .driver = DriverKind::kRounds, .is_local = true},
    {.name = "newton", .section = "newton.", .driver = DriverKind::kNewton, .has_hessians = true},
    {.name = "gossip", .section = "gossip.", .driver = DriverKind::kGossip, .has_neighbours = true},
}};

const Mode* Find(std::string_view name) {
  const auto found = std::ranges::find(kModes, name, &Mode::name);
  return found == kModes.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::string> ModeNames() {
  std::vector<std::string> names;
  for (const Mode& mode : kModes) names.emplace_back(mode.name);
  return names;
}

const Mode& ModeOf(const Config& config) {
  if (const Mode* mode = Find(config.train.mode)) return *mode;
  throw ErrorAt(config, "train.mode", "found " + config.train.mode + ", which is no mode");
}

bool HasServer(std::string_view name) {
  const Mode* mode = Find(name);
  return mode != nullptr && mode->has_server;
}

const Mode& ReaderOf(std::string_view section) { return *std::ranges::find(kModes, section, &Mode::section); }

bool CanStayDense(const Config& config) { return config.objective.is_network() && ModeOf(config).has_gradient_rounds; }

std::string_view MethodOf(const Config& config) {
  return ModeOf(config).has_neighbours ? config.gossip.method : config.comm.method;
}

std::string_view CompressorOf(const Config& config) {
  if (ModeOf(config).has_neighbours && !FindGossipMethod(config.gossip.method).compresses) return "identity";
  return config.comm.compressor;
}

LocalConfig LocalOf(const Config& config) {
  return ModeOf(config).is_local ? config.local : LocalConfig{.sync_every = 1};
}

}  // namespace gradwire::train
