// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "config/config_value.h"

namespace gradwire::train {

// What a YAML text may be; beyond it is refused. A trainer's own file has 100 values at a depth of 3, in 4 kB.
constexpr size_t kMaxYamlBytes = size_t{256} << 10;
constexpr size_t kMaxYamlValues = 10'000;  // those that aliases stand for included
constexpr size_t kMaxYamlDepth = 16;

/// The only document of a YAML text, in UTF-8 with or without a mark, with any ends of lines; kNothing where it is
/// empty. A value in quotes is kQuoted. Throws ConfigError "FILE:LINE: ..." where it is not YAML, more than one
/// document or larger than allowed: it ends for every input.
ConfigValue ReadYaml(const std::string& text, const std::string& file);

/// The same of a file. Throws ConfigError where it cannot be read.
ConfigValue ReadYamlFile(const std::string& file);

}  // namespace gradwire::train
