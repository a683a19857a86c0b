// SPDX-License-Identifier: Apache-2.0
#include "gradwire/method.h"

#include <algorithm>

#include <fmt/format.h>

#include "compress/smooth.h"
#include "compress/spec.h"
#include "gradwire/error.h"
#include "method/choices.h"

namespace gradwire {
namespace {

std::shared_ptr<const Compressor> Parse(const char* key, const std::string& spec) {
  try {
    return ParseCompressor(spec);
  } catch (const ConfigError& error) {
    throw ConfigError("comm." + std::string(key), error.what());
  }
}

std::string OrUsual(const std::string& chosen, std::string_view usual) {
  return chosen == "auto" ? std::string(usual) : chosen;
}

/// Throws where the operator cannot ride the link. A whole piece is the hardest to contract.
void CheckFit(const char* key, const Link& link, const Compressor& compressor) {
  if (const auto reason = Misfit(link, compressor, Piece::Whole(kPieceNumel)))
    throw ConfigError("comm." + std::string(key), *reason);
}

std::shared_ptr<const Compressor> CompressorOf(const Method& method, const CommConfig& config) {
  const auto compressor = Parse("compressor", OrUsual(config.compressor, method.compressor));
  if (method.only && compressor->spec() != method.compressor)
    throw ConfigError("comm.compressor",
                      fmt::format("method {} is {} and nothing else, so '{}' would not be used; expected "
                                  "auto or {}, or another method (ef, dcgd) for it",
                                  method.name, method.compressor, compressor->spec(), method.compressor));
  if (method.is_smooth() && !NeedsSmoothness(*compressor))
    throw ConfigError("comm.compressor",
                      fmt::format("method {} is of the workers' smoothness matrices, and {} has none; expected auto, "
                                  "smooth(...), or method {} for it",
                                  method.name, compressor->spec(), method.instead));
  return compressor;
}

/// The first message of 3PCv2: Q(v - y), which moves both ends' shifts.
const Link& Change() {
  static const Link change{.name = "change",
                           .reference = Reference::kPrevious,
                           .alpha = 1,
                           .takes_shift = true,
                           .for_unbiased = true,
                           .moves_h = true,
                           .summary = "",
                           .source = ""};
  return change;
}

/// The first message of 3PCv1: y, as its difference to the shift, which then is y.
const Link& Previous() {
  static const Link previous{.name = "previous",
                             .reference = Reference::kShift,
                             .alpha = 1,
                             .takes_shift = true,
                             .moves_h = true,
                             .sends_previous = true,
                             .summary = "",
                             .source = ""};
  return previous;
}

const Link& LearningOf(const Method& method) {
  switch (method.teaches) {
    case Method::Teaches::kChange: return Change();
    case Method::Teaches::kPrevious: return Previous();
    default: return FindLink("diana");
  }
}

void SetLearner(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  const std::string spec = OrUsual(config.learner, method.learner.empty() ? "none" : method.learner);
  if (spec == "none") {
    if (method.teaches == Method::Teaches::kPrevious)
      throw ConfigError(
          "comm.learner",
          fmt::format("none: method {} is its first message; expected auto, or method ef21", method.name));
    return;
  }
  if (method.learner.empty())
    throw ConfigError("comm.learner",
                      fmt::format("method {} learns no shift; expected auto, none, or method ec_diana", method.name));
  parts.learner = Parse("learner", spec);
  if (method.teaches == Method::Teaches::kPrevious && !parts.learner->is_identity())
    throw ConfigError("comm.learner",
                      fmt::format("method {} sends the gradient of the round before as it is, and not by "
                                  "{}; expected auto, or method 3pcv2",
                                  method.name, parts.learner->spec()));
  parts.learning = LearningOf(method);
  CheckFit("learner", parts.learning, *parts.learner);
}

/// A vote needs a way back only where its pieces have owners, and what comes back is the vote.
void CheckVote(const Method& method, const CommConfig& config) {
  if (!method.votes) return;
  const bool is_usual = config.down == "auto" || config.down == "none" || config.down == method.down;
  if (is_usual && (config.down_compressor == "auto" || config.down_compressor == method.down_compressor)) return;
  throw ConfigError(is_usual ? "comm.down_compressor" : "comm.down",
                    fmt::format("method {} sends the workers' vote back and nothing else; expected auto, or method "
                                "signsgd or dcgd",
                                method.name));
}

std::string_view UsualDown(const Method& method, const CommConfig& config) {
  if (config.topology == "sharded" && method.down == "none") return "raw";
  return method.votes && config.topology == "allgather" ? "none" : method.down;
}

void SetDown(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  CheckVote(method, config);
  const std::string name = OrUsual(config.down, UsualDown(method, config));
  if (name == "none") {
    if (config.topology == "sharded")
      throw ConfigError("comm.down", "none: the sharded topology has a way back; expected raw, ef or dore");
    if (config.down_compressor != "auto")
      throw ConfigError("comm.down_compressor", fmt::format("{}: nothing comes back; set comm.down to raw, ef or dore",
                                                            config.down_compressor));
    return;
  }
  std::vector<std::string_view> names;
  for (const Link& link : DownLinks()) names.push_back(link.name);
  if (!std::ranges::count(names, name))
    throw ConfigError("comm.down",
                      fmt::format("'{}' is unknown; expected auto, none, {}", name, fmt::join(names, ", ")));
  parts.down = FindDownLink(name);
  const bool is_plain =
      method.down == "none" && config.down == "auto";  // sharded asked for, nothing said of the way back
  const std::string spec = OrUsual(config.down_compressor, is_plain ? "identity" : method.down_compressor);
  parts.down_compressor = spec.empty() ? parts.compressor : Parse("down_compressor", spec);
  if (NeedsSmoothness(*parts.down_compressor))
    throw ConfigError("comm.down_compressor",
                      fmt::format("{} is of each worker's own function, and what comes back is of all; expected "
                                  "another one (identity, coins:10%)",
                                  parts.down_compressor->spec()));
  CheckFit("down_compressor", parts.down, *parts.down_compressor);
}

void SetParticipation(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  try {
    parts.participation = ParseParticipation(OrUsual(config.participation, method.participation));
  } catch (const ConfigError& error) {
    throw ConfigError("comm.participation", error.what());
  }
  if (parts.participation.is_all()) return;
  if (parts.link.remembers() || parts.link.reference == Reference::kShift || parts.learner ||
      parts.link.gate != Gate::kOpen)
    throw ConfigError("comm.participation",
                      fmt::format("{}: method {} has memory that every round moves at every worker; expected all, "
                                  "or method dcgd, marina or pp_marina",
                                  parts.participation.text(), method.name));
  if (method.only && parts.compressor->is_identity())
    throw ConfigError("comm.participation",
                      fmt::format("{}: method {} is plain gradients; expected all, or method dcgd "
                                  "with comm.compressor: identity",
                                  parts.participation.text(), method.name));
}

/// A link that iterates sees rows and columns.
PieceRule PieceRuleOf(const CommConfig& config, const Link& link) {
  if (link.iterates && config.piece == "tensor")
    throw ConfigError("comm.piece", "tensor: method powersgd takes rows and columns; expected fixed or matrix");
  if (link.iterates && config.piece == "fixed") return PieceRule::kMatrix;
  if (const auto rule = FindPieceRule(config.piece)) return *rule;
  throw ConfigError("comm.piece",
                    fmt::format("'{}' is unknown; expected fixed (65,536 elements), tensor or matrix", config.piece));
}

void CheckRanges(const CommConfig& config) {
  const auto at_least = [](const char* key, double value, double least) {
    if (!(value >= least))
      throw ConfigError("comm." + std::string(key),
                        fmt::format("{} is out of range; expected at least {}", value, least));
  };
  at_least("noise", config.noise, 0);
  at_least("min_compress_numel", static_cast<double>(config.min_compress_numel), 0);
  at_least("start_iter", static_cast<double>(config.start_iter), 0);
  at_least("bucket_cap_mb", config.bucket_cap_mb, 1e-3);
  at_least("timeout_s", config.timeout_s, 1e-3);
}

/// Throws where gradients may have to go bare that must not.
void CheckWhen(const CommConfig& config) {
  if (config.when != "auto" && config.when != "always" && config.when != "pays")
    throw ConfigError("comm.when", fmt::format("'{}' is unknown; expected auto, always or pays", config.when));
  if (config.when == "pays" && config.noise > 0)
    throw ConfigError("comm.when",
                      fmt::format("pays may send bare gradients, and comm.noise is {}; expected always", config.noise));
}

}  // namespace

const Method& FindMethod(std::string_view name) {
  if (name == "auto") name = kUsualMethod;
  std::vector<std::string_view> names;
  for (const Method& method : Methods()) {
    if (method.name == name) return method;
    names.push_back(method.name);
  }
  const std::string_view near = Nearest(name, names);
  throw ConfigError("comm.method",
                    fmt::format("'{}' is unknown{}; expected one of {}", name,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

ExchangeParts MakeParts(const CommConfig& config, uint64_t seed) {
  CheckRanges(config);
  CheckWhen(config);
  const Method& method = FindMethod(config.method);
  ExchangeParts parts;
  parts.method = method.name;
  parts.link = FindLink(method.link);
  parts.compressor = CompressorOf(method, config);
  if (config.when == "pays" && parts.compressor->sees_shape())
    throw ConfigError("comm.when", fmt::format("pays times operators on pieces without a shape, which {} sends as they "
                                               "are; expected always",
                                               parts.compressor->spec()));
  parts.votes = method.votes;
  SetLearner(method, config, parts);
  SetDown(method, config, parts);
  SetCoefficients(method, config, parts);
  CheckFit("compressor", parts.link, *parts.compressor);
  SetNoise(method, config, parts);
  SetParticipation(method, config, parts);
  SetAggregate(method, config, parts);
  parts.topology = TopologyOf(config, parts);
  CheckOwners(parts);
  parts.piece = PieceRuleOf(config, parts.link);
  parts.min_compress_numel = static_cast<size_t>(config.min_compress_numel);
  parts.compress_1d = config.compress_1d;
  parts.start_iter = static_cast<uint64_t>(config.start_iter);
  parts.seed = seed;
  SetThreads(config, parts);
  return parts;
}

void Check(const CommConfig& config) { MakeParts(config, 0); }

}  // namespace gradwire
