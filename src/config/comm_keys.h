// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config/config_key.h"
#include "gradwire/comm_config.h"

namespace gradwire {

/// Every key of the `comm:` section, the same at every door. Adding one = a member in comm_config.h and a row here.
const std::vector<ConfigKey<CommConfig>>& CommKeys();

/// Sets the key comm.<leaf>, e.g. "compressor" to "topk:1%". Throws ConfigError that begins with `place`, says what was
/// found and what was expected. Whether the settings go together is Check's to say.
void SetComm(CommConfig& config, const std::string& leaf, const ConfigValue& value, const std::string& place);

}  // namespace gradwire
