// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gradwire/error.h"
#include "train/config/config.h"

namespace gradwire::train {

/// What `make` returns; a ConfigError gets its setting's place in front.
template <typename Make>
auto Placed(const Config& config, Make make) {
  try {
    return make();
  } catch (const ConfigError& error) {
    throw WithPlace(config, error);
  }
}

}  // namespace gradwire::train
