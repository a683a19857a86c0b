// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "gradwire/comm_config.h"
#include "gradwire/exchange.h"

namespace gradwire {

/// A method is a named row of parts.
struct Method {
  std::string_view name;
  std::string_view link;                  ///< a row of Links()
  std::string_view compressor;            ///< the usual one, which `comm.compressor: auto` is
  bool only = false;                      ///< the method takes no other
  std::string_view down = "none";         ///< a row of DownLinks(), which makes the topology sharded
  std::string_view down_compressor = "";  ///< the usual one of the way back; empty: that of the way up
  std::string_view learner = "";          ///< the usual operator that teaches a shift beside the link; empty: no shift
  /// What the learner's message is of: a shift; or it comes first, and what it moves is the link's own: v - y (3PCv2),
  /// or v of the round before (3PCv1).
  enum class Teaches { kShift, kChange, kPrevious } teaches = Teaches::kShift;
  std::optional<Coefficient> alpha = {};   ///< in place of the link's
  std::string_view participation = "all";  ///< who sends: see Participation
  bool votes = false;                      ///< see ExchangeParts::votes
  double ema = 1;                          ///< Link::ema
  // What a worker sends on convex problems (objective.*: auto); a network has its mini-batch.
  std::string_view estimator = "full";
  std::string_view coin = "own";  ///< of lsvrg
  bool star_shift = false;        ///< subtracts grad f_i(x*): for theory, and not for a network
  std::string_view instead = "";  ///< its kin for those who give gradients alone (abilities.h); empty: it is itself one
  std::string_view summary;
  std::string_view source;

  /// Its messages are of changes of the gradient, which are of one batch at two points.
  bool needs_two_points() const { return link == "marina"; }
  /// The noise of its gradients is taken off at an anchor.
  bool is_anchored() const { return estimator == "lsvrg"; }
};

/// What `comm.method: auto` is.
inline constexpr std::string_view kUsualMethod = "ef";

/// Every method there is.
const std::vector<Method>& Methods();

/// Throws ConfigError ("comm.method: ...") that names the nearest. "auto" is kUsualMethod.
const Method& FindMethod(std::string_view name);

/// The parts that a configuration names. Throws ConfigError that begins with the key: "comm.method: ...".
ExchangeParts MakeParts(const CommConfig& config, uint64_t seed);

}  // namespace gradwire
