// SPDX-License-Identifier: Apache-2.0
#include "estimate/noise.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/normal.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr std::string_view kAbsolute = "absolute:", kRelative = "relative:";

}  // namespace

std::string Noise::text() const {
  return is_none() ? "none" : fmt::format("{}{}", kind == Kind::kAbsolute ? kAbsolute : kRelative, deviation);
}

void Noise::AddTo(std::span<double> gradient, Philox random) const {
  if (is_none()) return;
  for (double& g : gradient) g += (kind == Kind::kAbsolute ? 1 : g) * deviation * Normal(random);
}

Noise ParseNoise(std::string_view text) {
  if (text == "none") return {};
  for (const std::string_view prefix : {kAbsolute, kRelative}) {
    if (!text.starts_with(prefix)) continue;
    const std::string_view number = text.substr(prefix.size());
    double deviation = 0;
    const auto [end, error] = std::from_chars(number.begin(), number.end(), deviation);
    if (error != std::errc{} || end != number.end() || !(deviation >= 0) || std::isinf(deviation)) break;
    return {prefix == kAbsolute ? Noise::Kind::kAbsolute : Noise::Kind::kRelative, deviation};
  }
  throw ConfigError(fmt::format("found '{}', expected none, absolute:S or relative:S with a number S >= 0", text));
}

}  // namespace gradwire
