// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "gradwire/comm_config.h"

namespace gradwire {

struct Method;

/// What whoever drives a method can give it, beside one gradient of each worker a round. A hook gives nothing more: it
/// sees gradients, never how they are made.
struct Abilities {
  bool same_batch = false;  ///< the gradient of a round's batch at two points, the model's and the one before
  bool anchors = false;     ///< the gradient of each batch at an anchor, and of all samples there
  bool solution = false;    ///< each worker's gradient at the solution: convex problems
  bool smoothness = false;  ///< each worker's smoothness matrix: convex problems
};

/// What the method needs of its driver and does not get, in words that follow its name ("needs ..."); empty where
/// nothing is missing.
std::string Missing(const Method& method, const Abilities& given);

/// Throws ConfigError ("comm.method: ...") where something is missing, with a method that can be taken instead.
/// `driver`: who that is, e.g. "a hook".
void CheckGiven(const CommConfig& config, const Abilities& given, const std::string& driver);

}  // namespace gradwire
