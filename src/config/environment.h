// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace gradwire {

/// A variable of the environment that begins with GRADWIRE_.
struct Variable {
  std::string name;
  std::string meaning;
  bool is_setting = false;  ///< of the Python backend; else one that the tests or the build are told by
};

/// The only list of them: the keys of the `comm:` section and the other settings of the backend "gradwire", and names
/// that are no settings. A new variable is a row there.
const std::vector<Variable>& Variables();

/// Who reads the environment's settings.
enum class Reader { kBackend, kNobody };

/// Throws ConfigError for the first of `names` that begins with GRADWIRE_ and that nobody reads here, with the nearest
/// that somebody does, or with the trainer's key for it.
void CheckVariables(const std::vector<std::string>& names, Reader reader);

/// The names of this process's environment.
std::vector<std::string> VariablesSet();

}  // namespace gradwire
