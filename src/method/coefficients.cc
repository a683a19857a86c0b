// SPDX-License-Identifier: Apache-2.0
#include "method/choices.h"

#include <charconv>
#include <limits>
#include <string>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();

/// "auto" leaves the coefficient as it is; a number from 0 to `most` replaces it. `has`: whether the method has it at
/// all.
void Override(const char* key, const std::string& text, bool has, const Method& method, Coefficient& coefficient,
              double most = 1) {
  if (text == "auto") return;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !(number >= 0 && number <= most))
    throw ConfigError(fmt::format("comm.{}", key), fmt::format("'{}': expected auto or a number from 0{}", text,
                                                               most < kUnbounded ? fmt::format(" to {}", most) : ""));
  if (!has)
    throw ConfigError(fmt::format("comm.{}", key),
                      fmt::format("method {} has no such coefficient; expected auto", method.name));
  coefficient = number;
}

/// The momentum of what is sent: one of plain gradients would be another method under their name, and MARINA's changes
/// are of one batch at two points.
void SetMomentum(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  parts.link.ema = method.ema;
  Coefficient ema = method.ema;
  const bool is_plain = method.only && parts.compressor->is_identity();
  Override("ema", config.ema, !is_plain && !method.needs_two_points() && !parts.link.iterates, method, ema);
  parts.link.ema = ema.number;
  if (parts.link.ema == 0)
    throw ConfigError("comm.ema", "0: nothing would ever be sent; expected auto or a number above 0 and up to 1");
}

}  // namespace

void SetCoefficients(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  if (method.alpha) (parts.learner ? parts.learning : parts.link).alpha = *method.alpha;
  Link& shifted = parts.learner ? parts.learning : parts.link;
  SetMomentum(method, config, parts);
  Override("alpha", config.alpha, shifted.reference == Reference::kShift, method, shifted.alpha);
  const bool dore = parts.down.step_inside;
  Override("beta", config.beta, dore, method, parts.down.beta);
  Override("eta", config.eta, dore || parts.link.name == "econtrol", method,
           dore ? parts.down.kappa : parts.link.kappa);
  if (dore) parts.down.lambda = parts.down.kappa;
  if (config.opening != "auto") {
    if (config.opening != "dense" && config.opening != "compressed")
      throw ConfigError("comm.opening",
                        fmt::format("'{}' is unknown; expected auto, dense or compressed", config.opening));
    if (!parts.link.shifts())
      throw ConfigError("comm.opening", fmt::format("method {} has no shift to start; expected auto", method.name));
    parts.link.opens_dense = config.opening == "dense";
  }
  const bool tosses = parts.link.gate == Gate::kCoin, is_lazy = parts.link.gate == Gate::kLazy;
  Coefficient level = parts.link.gate_level, p = tosses ? level : parts.link.refresh.value_or(0);
  Override("p", config.p, tosses || parts.link.refresh.has_value(), method, p);
  Override("zeta", config.zeta, is_lazy, method, level, kUnbounded);
  if (parts.link.refresh) parts.link.refresh = p;
  if (tosses || is_lazy) parts.link.gate_level = (tosses ? p : level).number;
}

}  // namespace gradwire
