// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "gradwire/error.h"
#include "method/choices.h"

namespace gradwire {
namespace {

/// Why receivers cannot have each sender's vector, and what to do; empty where they can.
std::string Misfit(const Method& method, const CommConfig& config, const ExchangeParts& parts) {
  if (parts.votes) return fmt::format("method {} counts signs; expected mean, or method dcgd with sign", method.name);
  if (parts.link.iterates)
    return fmt::format("method {} sums factors on the way; expected mean, or method ef with rank:4", method.name);
  if (parts.link.shifts() || parts.learner)
    return fmt::format(
        "receivers of method {} keep the mean of the workers' shifts and not each worker's; expected "
        "mean, or a method without shifts (none, dcgd, ef, ec)",
        method.name);
  if (!parts.participation.is_all())
    return fmt::format("comm.participation is {}, whose messages have weights; expected mean, or all",
                       parts.participation.text());
  if (config.start_iter > 0)
    return fmt::format("the first {} steps (comm.start_iter) are sums on the way; expected mean, or comm.start_iter: 0",
                       config.start_iter);
  if (config.when == "pays")
    return "comm.when is pays, which may take sums on the way instead; expected mean, or comm.when: always";
  return "";
}

}  // namespace

void SetAggregate(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  try {
    parts.aggregate = ParseAggregate(config.aggregate);
  } catch (const ConfigError& error) {
    throw ConfigError("comm.aggregate", error.what());
  }
  if (parts.aggregate.is_mean()) return;
  if (const std::string why = Misfit(method, config, parts); !why.empty())
    throw ConfigError("comm.aggregate", fmt::format("{}: {}", parts.aggregate.text(), why));
}

}  // namespace gradwire
