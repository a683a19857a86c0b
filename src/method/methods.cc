// SPDX-License-Identifier: Apache-2.0
#include "gradwire/method.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "compress/spec.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();

std::shared_ptr<const Compressor> Parse(const char* key, const std::string& spec) {
  try {
    return ParseCompressor(spec);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("comm.{}: {}", key, error.what()));
  }
}

std::string OrUsual(const std::string& chosen, std::string_view usual) {
  return chosen == "auto" ? std::string(usual) : chosen;
}

/// Throws where the operator cannot ride the link. A whole piece is the hardest to contract.
void CheckFit(const char* key, const Link& link, const Compressor& compressor) {
  if (const auto reason = Misfit(link, compressor, Piece::Whole(kPieceNumel)))
    throw ConfigError(fmt::format("comm.{}: {}", key, *reason));
}

std::shared_ptr<const Compressor> CompressorOf(const Method& method, const CommConfig& config) {
  const auto compressor = Parse("compressor", OrUsual(config.compressor, method.compressor));
  if (method.only && compressor->spec() != method.compressor)
    throw ConfigError(
        fmt::format("comm.compressor: method {} is {} and nothing else, so '{}' would not be used; expected "
                    "auto or {}, or another method (ef, dcgd) for it",
                    method.name, method.compressor, compressor->spec(), method.compressor));
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

/// "auto" leaves the coefficient as it is; a number from 0 to `most` replaces it. `has`: whether the method has it at
/// all.
void Override(const char* key, const std::string& text, bool has, const Method& method, Coefficient& coefficient,
              double most = 1) {
  if (text == "auto") return;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !(number >= 0 && number <= most))
    throw ConfigError(fmt::format("comm.{}: '{}': expected auto or a number from 0{}", key, text,
                                  most < kUnbounded ? fmt::format(" to {}", most) : ""));
  if (!has)
    throw ConfigError(fmt::format("comm.{}: method {} has no such coefficient; expected auto", key, method.name));
  coefficient = number;
}

void SetLearner(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  const std::string spec = OrUsual(config.learner, method.learner.empty() ? "none" : method.learner);
  if (spec == "none") return;
  if (method.learner.empty())
    throw ConfigError(
        fmt::format("comm.learner: method {} learns no shift; expected auto, none, or method ec_diana", method.name));
  parts.learner = Parse("learner", spec);
  parts.learning = method.teaches_change ? Change() : FindLink("diana");
  CheckFit("learner", parts.learning, *parts.learner);
}

void SetDown(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  const std::string name =
      OrUsual(config.down, config.topology == "sharded" && method.down == "none" ? "raw" : method.down);
  if (name == "none") {
    if (config.topology == "sharded")
      throw ConfigError("comm.down: none: the sharded topology has a way back; expected raw, ef or dore");
    if (config.down_compressor != "auto")
      throw ConfigError(fmt::format("comm.down_compressor: {}: nothing comes back; set comm.down to raw, ef or dore",
                                    config.down_compressor));
    return;
  }
  std::vector<std::string_view> names;
  for (const Link& link : DownLinks()) names.push_back(link.name);
  if (!std::ranges::count(names, name))
    throw ConfigError(fmt::format("comm.down: '{}' is unknown; expected auto, none, {}", name, fmt::join(names, ", ")));
  parts.down = FindDownLink(name);
  const bool is_plain =
      method.down == "none" && config.down == "auto";  // sharded asked for, nothing said of the way back
  const std::string spec = OrUsual(config.down_compressor, is_plain ? "identity" : method.down_compressor);
  parts.down_compressor = spec.empty() ? parts.compressor : Parse("down_compressor", spec);
  CheckFit("down_compressor", parts.down, *parts.down_compressor);
}

void SetCoefficients(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  if (method.alpha) (parts.learner ? parts.learning : parts.link).alpha = *method.alpha;
  Link& shifted = parts.learner ? parts.learning : parts.link;
  Override("alpha", config.alpha, shifted.reference == Reference::kShift, method, shifted.alpha);
  const bool dore = parts.down.step_inside;
  Override("beta", config.beta, dore, method, parts.down.beta);
  Override("eta", config.eta, dore || parts.link.name == "econtrol", method,
           dore ? parts.down.kappa : parts.link.kappa);
  if (dore) parts.down.lambda = parts.down.kappa;
  if (config.opening != "auto") {
    if (config.opening != "dense" && config.opening != "compressed")
      throw ConfigError(
          fmt::format("comm.opening: '{}' is unknown; expected auto, dense or compressed", config.opening));
    if (!parts.link.shifts())
      throw ConfigError(fmt::format("comm.opening: method {} has no shift to start; expected auto", method.name));
    parts.link.opens_dense = config.opening == "dense";
  }
  const bool tosses = parts.link.gate == Gate::kCoin, is_lazy = parts.link.gate == Gate::kLazy;
  Coefficient level = parts.link.gate_level, p = tosses ? level : parts.link.refresh.value_or(0);
  Override("p", config.p, tosses || parts.link.refresh.has_value(), method, p);
  Override("zeta", config.zeta, is_lazy, method, level, kUnbounded);
  if (parts.link.refresh) parts.link.refresh = p;
  if (tosses || is_lazy) parts.link.gate_level = (tosses ? p : level).number;
}

void SetNoise(const CommConfig& config, ExchangeParts& parts) {
  const Piece piece = Piece::Whole(kPieceNumel);
  if (config.noise > 0 && parts.compressor->Bytes(piece, Dtype::kF32) != piece.numel * sizeof(float))
    throw ConfigError(
        fmt::format("comm.noise: {} does not send its elements as numbers; expected clip or identity, or 0",
                    parts.compressor->spec()));
  parts.link.noise = config.noise;
}

void SetParticipation(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  try {
    parts.participation = ParseParticipation(OrUsual(config.participation, method.participation));
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("comm.participation: {}", error.what()));
  }
  if (parts.participation.is_all()) return;
  if (parts.link.remembers() || parts.link.reference == Reference::kShift || parts.learner ||
      parts.link.gate != Gate::kOpen)
    throw ConfigError(fmt::format(
        "comm.participation: {}: method {} has memory that every round moves at every worker; expected all, "
        "or method dcgd, marina or pp_marina",
        parts.participation.text(), method.name));
  if (method.only && parts.compressor->spec() == "identity")
    throw ConfigError(
        fmt::format("comm.participation: {}: method {} is plain gradients; expected all, or method dcgd "
                    "with comm.compressor: identity",
                    parts.participation.text(), method.name));
}

Topology TopologyOf(const CommConfig& config, const ExchangeParts& parts) {
  const bool summable = parts.compressor->linear() && parts.link.noise == 0 && parts.participation.is_all() &&
                        !parts.link.remembers() && !parts.link.shifts();
  const bool sharded = parts.down_compressor != nullptr;
  if (config.topology == "auto")
    return sharded ? Topology::kSharded : summable ? Topology::kAllReduce : Topology::kAllGather;
  if (config.topology == "sharded") return Topology::kSharded;
  if (config.topology != "allgather" && config.topology != "allreduce")
    throw ConfigError(
        fmt::format("comm.topology: '{}' is unknown; expected auto, allgather, sharded or allreduce", config.topology));
  if (sharded)
    throw ConfigError(fmt::format("comm.topology: {} has no way back, and comm.down is {}; expected sharded or auto",
                                  config.topology, parts.down.name));
  if (config.topology == "allgather") return Topology::kAllGather;
  if (!parts.participation.is_all())
    throw ConfigError(
        fmt::format("comm.topology: allreduce sums all ranks' messages, and comm.participation is {}; "
                    "expected allgather or auto",
                    parts.participation.text()));
  if (!summable)
    throw ConfigError(
        fmt::format("comm.topology: allreduce sums messages on the way, which {} with link {} does not "
                    "allow; expected allgather or auto",
                    parts.compressor->spec(), parts.link.name));
  return Topology::kAllReduce;
}

/// Parts that fit each other and still not this topology.
void CheckSharded(const ExchangeParts& parts) {
  if (parts.topology != Topology::kSharded) return;
  if (parts.learner)
    throw ConfigError("comm.topology: sharded: a learned shift must be known to all ranks; expected allgather");
}

PieceRule PieceRuleOf(const CommConfig& config) {
  if (config.piece == "fixed") return PieceRule::kFixed;
  if (config.piece == "tensor") return PieceRule::kTensor;
  throw ConfigError(
      fmt::format("comm.piece: '{}' is unknown; expected fixed (65,536 elements) or tensor", config.piece));
}

void CheckRanges(const CommConfig& config) {
  const auto at_least = [](const char* key, double value, double least) {
    if (!(value >= least))
      throw ConfigError(fmt::format("comm.{}: {} is out of range; expected at least {}", key, value, least));
  };
  at_least("noise", config.noise, 0);
  at_least("min_compress_numel", static_cast<double>(config.min_compress_numel), 0);
  at_least("start_iter", static_cast<double>(config.start_iter), 0);
  at_least("bucket_cap_mb", config.bucket_cap_mb, 1e-3);
  at_least("timeout_s", config.timeout_s, 1e-3);
}

}  // namespace

const Method& FindMethod(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Method& method : Methods()) {
    if (method.name == name) return method;
    names.push_back(method.name);
  }
  const std::string_view near = Nearest(name, names);
  throw ConfigError(fmt::format("comm.method: '{}' is unknown{}; expected one of {}", name,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

ExchangeParts MakeParts(const CommConfig& config, uint64_t seed) {
  CheckRanges(config);
  const Method& method = FindMethod(config.method);
  ExchangeParts parts;
  parts.link = FindLink(method.link);
  parts.compressor = CompressorOf(method, config);
  SetLearner(method, config, parts);
  SetDown(method, config, parts);
  SetCoefficients(method, config, parts);
  CheckFit("compressor", parts.link, *parts.compressor);
  SetNoise(config, parts);
  SetParticipation(method, config, parts);
  parts.topology = TopologyOf(config, parts);
  CheckSharded(parts);
  parts.piece = PieceRuleOf(config);
  parts.min_compress_numel = static_cast<size_t>(config.min_compress_numel);
  parts.compress_1d = config.compress_1d;
  parts.start_iter = static_cast<uint64_t>(config.start_iter);
  parts.seed = seed;
  return parts;
}

void Check(const CommConfig& config) { MakeParts(config, 0); }

}  // namespace gradwire
