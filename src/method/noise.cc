// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "gradwire/error.h"
#include "method/choices.h"

namespace gradwire {
namespace {

/// What would be sent without noise; empty where nothing is.
std::string Bare(const Method& method, const CommConfig& config, const ExchangeParts& parts) {
  if (config.min_compress_numel > 0 || !config.compress_1d)
    return fmt::format(
        "parameters of fewer than {} elements (comm.min_compress_numel){} are sent as they are; expected "
        "comm.min_compress_numel: 0 and comm.compress_1d: true",
        config.min_compress_numel, config.compress_1d ? "" : " and 1-D ones (comm.compress_1d: false)");
  if (config.start_iter > 0)
    return fmt::format("the first {} steps (comm.start_iter) are sent as they are; expected comm.start_iter: 0",
                       config.start_iter);
  if (parts.link.opens_dense)
    return fmt::format("the first message of method {} is sent as it is; expected comm.opening: compressed",
                       method.name);
  if (parts.link.refresh && !(*parts.link.refresh == Coefficient(0)))
    return fmt::format(
        "the dense rounds of method {} are sent as they are; expected a method without them (dcgd, clip21), or "
        "comm.p: 0",
        method.name);
  if (parts.learner)
    return fmt::format("what teaches the shift of method {} is sent as it is; expected a method without comm.learner",
                       method.name);
  return "";
}

}  // namespace

void SetNoise(const Method& method, const CommConfig& config, ExchangeParts& parts) {
  parts.link.noise = config.noise;
  if (config.noise == 0) return;
  const auto refuse = [&](const std::string& why) {
    throw ConfigError("comm.noise", fmt::format("{}: {}", config.noise, why));
  };
  if (method.name == "none") refuse("method none is plain gradients; expected 0, or method dcgd with identity");
  const Piece piece = Piece::Whole(kPieceNumel);
  if (parts.compressor->sees_shape() || parts.compressor->Bytes(piece, Dtype::kF32) != piece.numel * sizeof(float))
    refuse(fmt::format("{} does not send its elements as numbers; expected clip or identity, or 0",
                       parts.compressor->spec()));
  if (const std::string bare = Bare(method, config, parts); !bare.empty()) refuse(bare);
}

}  // namespace gradwire
