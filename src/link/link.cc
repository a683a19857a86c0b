// SPDX-License-Identifier: Apache-2.0
#include "gradwire/link.h"

#include "gradwire/error.h"

namespace gradwire {

const std::vector<Link>& Links() {
  static const std::vector<Link> links = {
      {"raw", 0, 0, "no memory: what the operator leaves out is lost", "Alistarh et al. 2017, arXiv 1610.02132"},
      {"ef", 1, 1, "error feedback: what was left out joins the next message", "Seide et al. 2014; arXiv 1901.09847"},
  };
  return links;
}

const Link& FindLink(std::string_view name) {
  for (const Link& link : Links())
    if (link.name == name) return link;
  throw ConfigError("link '" + std::string(name) + "': unknown");
}

std::optional<std::string> Misfit(const Link& link, const Compressor& compressor, const Piece& piece) {
  if (link.remembers() && compressor.delta(piece).value_or(0) <= 0)
    return "error feedback around " + compressor.spec() +
           ", which does not contract, diverges: its memory grows without bound. Take a contractive operator (sign, "
           "topk:1%), or a method without memory (dcgd)";
  return std::nullopt;
}

template <typename T>
void Send(const Link& link, const Compressor& compressor, const Site& site, Lane& lane, StateStore<T>& state,
          std::span<const T> v, std::span<std::byte> out) {
  if (!link.remembers()) {
    compressor.Encode(site, lane, v, T{1}, {}, {}, out);
    return;
  }
  const auto error = state.Vector(site.parameter, "e").subspan(site.piece.begin, site.piece.numel);
  compressor.Encode(site, lane, v, T{1}, error, error, out);
}

template void Send(const Link&, const Compressor&, const Site&, Lane&, StateStore<float>&, std::span<const float>,
                   std::span<std::byte>);
template void Send(const Link&, const Compressor&, const Site&, Lane&, StateStore<double>&, std::span<const double>,
                   std::span<std::byte>);

}  // namespace gradwire
