// SPDX-License-Identifier: Apache-2.0
#include "gradwire/abilities.h"

#include <fmt/format.h>

#include "compress/smooth.h"
#include "gradwire/error.h"
#include "gradwire/method.h"

namespace gradwire {

std::string Missing(const Method& method, const Abilities& given) {
  if (!given.anchors && method.is_anchored()) return "needs each worker's gradients at an anchor";
  if (!given.solution && method.star_shift) return "needs each worker's gradient at the solution";
  if (!given.smoothness && method.is_smooth()) return "needs each worker's smoothness matrix";
  if (method.needs_two_points() && !given.same_batch)
    return "needs the gradient of each batch at two points, the model's and the one before";
  return "";
}

namespace {

bool IsSmooth(const char* key, const std::string& spec) {
  try {
    return NeedsSmoothness(*ParseCompressor(spec));
  } catch (const ConfigError& error) {
    throw ConfigError(key, error.what());
  }
}

/// Operators of smoothness matrices, whatever the method.
void CheckOperators(const CommConfig& config, const Abilities& given, const std::string& driver) {
  if (given.smoothness) return;
  const auto check = [&](const char* key, const std::string& spec) {
    if (spec == "auto" || spec == "none" || !IsSmooth(key, spec)) return;
    throw ConfigError(key, fmt::format("{} is made of each worker's smoothness matrix, and {} has none; expected coins "
                                       "or steps without smooth (coins:1%, steps:7), or a convex problem of `gradwire "
                                       "train`",
                                       spec, driver));
  };
  check("comm.compressor", config.compressor);
  check("comm.learner", config.learner);
}

}  // namespace

void CheckGiven(const CommConfig& config, const Abilities& given, const std::string& driver) {
  const Method& method = FindMethod(config.method);
  const std::string missing = Missing(method, given);
  if (missing.empty()) return CheckOperators(config, given, driver);
  throw ConfigError("comm.method",
                    fmt::format("{} {}, and {} gives one gradient of each batch and no more; expected {}, or a convex "
                                "problem of `gradwire train` for {}",
                                method.name, missing, driver, method.instead, method.name));
}

}  // namespace gradwire
