// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/compressor.h"
#include "gradwire/state_store.h"

namespace gradwire {

/// A link is what a sender does so that a receiver knows v, with memory of what it could not send:
///     u = v + kappa e;   C(u) -> wire;   e <- (lambda - kappa) e + (u - C(u))
/// A link is a row of numbers, not a class. `e` lives in the StateStore under the name "e".
struct Link {
  std::string_view name;
  double kappa;   ///< share of the memory that joins the message
  double lambda;  ///< share of the memory that is kept in all; kappa == lambda in both links so far
  std::string_view summary;
  std::string_view source;

  bool remembers() const { return kappa != 0; }
};

/// raw: no memory. ef: error feedback with the step size outside (EF_OUT).
const std::vector<Link>& Links();
const Link& FindLink(std::string_view name);

/// Why this operator cannot ride this link, with a choice that works; empty where they fit.
std::optional<std::string> Misfit(const Link& link, const Compressor& compressor, const Piece& piece);

/// Encodes v (site.piece.numel finite elements) into `out` and updates the link's memory in `state`.
/// `v` is left as it is. T is float or double.
template <typename T>
void Send(const Link& link, const Compressor& compressor, const Site& site, Lane& lane, StateStore<T>& state,
          std::span<const T> v, std::span<std::byte> out);

}  // namespace gradwire
