// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gradwire::train {

/// Where the column behind the names begins.
constexpr size_t kListIndent = 20;

/// What `gradwire list [SECTION]` prints: methods, operators, links, estimators or topologies; all where `section` is
/// empty. Throws ConfigError with the nearest for another word.
std::string ListText(std::string_view section = "");

}  // namespace gradwire::train
