// SPDX-License-Identifier: Apache-2.0
#include "gradwire/method.h"

#include <fmt/format.h>

#include "compress/spec.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

const Method& FindMethod(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Method& method : Methods()) {
    if (method.name == name) return method;
    names.push_back(method.name);
  }
  const std::string_view near = Nearest(name, names);
  throw ConfigError(fmt::format("comm.method: '{}' is unknown{}; expected one of {}", name,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

std::shared_ptr<const Compressor> CompressorOf(const Method& method, const CommConfig& config) {
  std::shared_ptr<const Compressor> compressor;
  try {
    compressor = ParseCompressor(config.compressor);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("comm.compressor: {}", error.what()));
  }
  if (!method.compressor.empty() && compressor->spec() != method.compressor)
    throw ConfigError(fmt::format("comm.compressor: method {} sends plain gradients, so '{}' would not be used; expected "
                                  "{}, or method ef or dcgd for compressed ones",
                                  method.name, compressor->spec(), method.compressor));
  if (compressor->variable() || compressor->scope() == Scope::kModel)
    throw ConfigError(fmt::format("comm.compressor: '{}' {}, which no topology of this version can carry; expected "
                                  "another operator, e.g. topk:1%",
                                  compressor->spec(),
                                  compressor->variable() ? "has payloads of varying size" : "acts on the whole model"));
  // The smallest piece that would be compressed is the easiest to contract, a whole one the hardest.
  if (const auto reason = Misfit(FindLink(method.link), *compressor, Piece::Whole(kPieceNumel)))
    throw ConfigError(fmt::format("comm.compressor: {}", *reason));
  return compressor;
}

Topology TopologyOf(const CommConfig& config, const Link& link, const Compressor& compressor) {
  // An all-reduce sums whole buckets, dense: of the linear operators it is only identity.
  const bool summable = compressor.spec() == "identity" && !link.remembers();
  if (config.topology == "auto") return summable ? Topology::kAllReduce : Topology::kAllGather;
  if (config.topology == "allgather") return Topology::kAllGather;
  if (config.topology != "allreduce")
    throw ConfigError(fmt::format("comm.topology: '{}' is unknown; expected auto, allgather or allreduce", config.topology));
  if (!summable)
    throw ConfigError(fmt::format("comm.topology: allreduce sums messages on the way, which {} with link {} does not "
                                  "allow; expected allgather or auto", compressor.spec(), link.name));
  return Topology::kAllReduce;
}

PieceRule PieceRuleOf(const CommConfig& config) {
  if (config.piece == "fixed") return PieceRule::kFixed;
  if (config.piece == "tensor") return PieceRule::kTensor;
  throw ConfigError(fmt::format("comm.piece: '{}' is unknown; expected fixed (65,536 elements) or tensor", config.piece));
}

}  // namespace

const std::vector<Method>& Methods() {
  static const std::vector<Method> methods = {
      {"none", "raw", "identity", "plain gradients, bit for bit what DDP gives", "parallel SGD"},
      {"dcgd", "raw", "", "compressed gradients without memory", "Khirirat et al. 2018, arXiv 1806.06573"},
      {"ef", "ef", "", "error feedback, step size outside", "Seide et al. 2014; Karimireddy et al. 2019, arXiv 1901.09847"},
  };
  return methods;
}

ExchangeParts MakeParts(const CommConfig& config, uint64_t seed) {
  const Method& method = FindMethod(config.method);
  ExchangeParts parts;
  parts.link = &FindLink(method.link);
  parts.compressor = CompressorOf(method, config);
  parts.topology = TopologyOf(config, *parts.link, *parts.compressor);
  parts.piece = PieceRuleOf(config);
  if (config.down != "none")
    throw ConfigError(fmt::format("comm.down: '{}': only the sharded topology has a way back to compress, and this "
                                  "version does not have it; expected none", config.down));
  parts.min_compress_numel = static_cast<size_t>(config.min_compress_numel);
  parts.compress_1d = config.compress_1d;
  parts.start_iter = static_cast<uint64_t>(config.start_iter);
  parts.seed = seed;
  return parts;
}

void Check(const CommConfig& config) {
  const auto at_least = [](const char* key, double value, double least) {
    if (!(value >= least)) throw ConfigError(fmt::format("comm.{}: {} is out of range; expected at least {}", key, value, least));
  };
  at_least("min_compress_numel", static_cast<double>(config.min_compress_numel), 0);
  at_least("start_iter", static_cast<double>(config.start_iter), 0);
  at_least("bucket_cap_mb", config.bucket_cap_mb, 1e-3);
  at_least("timeout_s", config.timeout_s, 1e-3);
  MakeParts(config, 0);
}

}  // namespace gradwire
