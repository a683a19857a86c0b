// SPDX-License-Identifier: Apache-2.0
#include "exchange/pack.h"

#include <algorithm>

#include "gradwire/error.h"
#include "gradwire/wire.h"
#include "kernels/add.h"

namespace gradwire {
namespace {

template <typename T>
Site SiteOf(const ExchangeCore<T>& core, uint64_t step, const PlannedPiece& planned) {
  return {core.parts.seed,  Purpose::kCompress,  static_cast<uint32_t>(core.collective.rank()), step,
          planned.parameter, planned.piece};
}

/// One piece; returns whether it was poisoned.
template <typename T>
bool PackPiece(ExchangeCore<T>& core, const PlannedPiece& planned, uint64_t step, std::span<const T> v,
               std::span<std::byte> out) {
  const Site site = SiteOf(core, step, planned);
  const Compressor& compressor = planned.dense ? *core.dense : *core.parts.compressor;
  if (!kernels::AllFinite(v)) {
    compressor.Encode(site, core.lane, std::span<const T>{}, T{1}, std::span<const T>{}, std::span<T>{}, out);
    return true;
  }
  Send(planned.dense ? FindLink("raw") : *core.parts.link, compressor, site, core.lane, core.state, v, out);
  return false;
}

}  // namespace

template <typename T>
bool Pack(ExchangeCore<T>& core, const BucketPlan& plan, uint64_t step, std::span<const T> values,
          std::span<std::byte> message) {
  bool poisoned = false;
  for (const PlannedPiece& planned : plan.pieces) {
    const auto v = values.subspan(planned.values, planned.piece.numel);
    poisoned |= PackPiece(core, planned, step, v, message.subspan(planned.payload, planned.bytes));
    const size_t padding = AlignPayload(planned.bytes) - planned.bytes;
    std::fill_n(message.begin() + static_cast<std::ptrdiff_t>(planned.payload + planned.bytes), padding, std::byte{0});
  }
  return poisoned;
}

template <typename T>
void Unpack(ExchangeCore<T>& core, const BucketPlan& plan, uint64_t step,
            std::span<const std::span<const std::byte>> messages, std::span<const T> weights, std::span<T> values) {
  std::vector<Payload> payloads(messages.size());
  for (const PlannedPiece& planned : plan.pieces) {
    for (size_t r = 0; r < messages.size(); ++r)
      payloads[r] = {messages[r].subspan(planned.payload, planned.bytes), static_cast<uint32_t>(r)};
    const auto out = values.subspan(planned.values, planned.piece.numel);
    const Compressor& compressor = planned.dense ? *core.dense : *core.parts.compressor;
    try {
      compressor.Decode(SiteOf(core, step, planned), core.lane, payloads, weights, false, out);
    } catch (const PeerError& error) {
      throw PeerError(error.rank(), "step " + std::to_string(step) + ", bucket " + std::to_string(plan.bucket) +
                                        ", parameter " + core.parameters[planned.parameter].name + ", piece " +
                                        std::to_string(planned.piece.index) + ": " + error.what());
    }
  }
}

template bool Pack(ExchangeCore<float>&, const BucketPlan&, uint64_t, std::span<const float>, std::span<std::byte>);
template bool Pack(ExchangeCore<double>&, const BucketPlan&, uint64_t, std::span<const double>, std::span<std::byte>);
template void Unpack(ExchangeCore<float>&, const BucketPlan&, uint64_t, std::span<const std::span<const std::byte>>,
                     std::span<const float>, std::span<float>);
template void Unpack(ExchangeCore<double>&, const BucketPlan&, uint64_t, std::span<const std::span<const std::byte>>,
                     std::span<const double>, std::span<double>);

}  // namespace gradwire
