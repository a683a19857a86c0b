// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the table of keys is made of, for the files that have its rows (config_keys.cc, mode_keys.cc).

#include <string_view>
#include <vector>

#include "train/config/config_keys.h"

namespace gradwire::train {

template <typename Section, typename T, typename Rule>
Key Row(std::string_view name, Section Config::*section, T Section::*field, Rule rule, std::string_view meaning) {
  return MakeConfigKey<Config>(
      name, [=](auto&& config) -> auto& { return config.*section.*field; }, rule, meaning);
}

// The sections that a value of train.mode reads.
std::vector<Key> LocalKeys();
std::vector<Key> GossipKeys();
std::vector<Key> AsyncKeys();
std::vector<Key> NewtonKeys();

}  // namespace gradwire::train
