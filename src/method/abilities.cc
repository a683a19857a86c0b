// SPDX-License-Identifier: Apache-2.0
#include "gradwire/abilities.h"

#include <fmt/format.h>

#include "gradwire/error.h"
#include "gradwire/method.h"

namespace gradwire {

std::string Missing(const Method& method, const Abilities& given) {
  if (!given.anchors && method.is_anchored()) return "needs each worker's gradients at an anchor";
  if (!given.solution && method.star_shift) return "needs each worker's gradient at the solution";
  if (method.needs_two_points() && !given.same_batch)
    return "needs the gradient of each batch at two points, the model's and the one before";
  return "";
}

void CheckGiven(const CommConfig& config, const Abilities& given, const std::string& driver) {
  const Method& method = FindMethod(config.method);
  const std::string missing = Missing(method, given);
  if (missing.empty()) return;
  throw ConfigError("comm.method",
                    fmt::format("{} {}, and {} gives one gradient of each batch and no more; expected {}, or a convex "
                                "problem of `gradwire train` for {}",
                                method.name, missing, driver, method.instead, method.name));
}

}  // namespace gradwire
