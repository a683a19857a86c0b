// SPDX-License-Identifier: Apache-2.0
#include "gradwire/link.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace gradwire {
namespace {

template <typename T>
void Move(const Link& link, std::span<const T> g, std::span<T> momentum) {
  kernels::Scale(static_cast<T>(1 - link.ema), momentum);
  kernels::AddValues(std::as_bytes(g).data(), T{1}, static_cast<T>(link.ema), momentum);
}

}  // namespace

template <typename T>
bool IsUnused(const Link& link, bool zeros_keep_memory, std::span<const T> g) {
  return zeros_keep_memory && (link.remembers() || link.has_momentum()) && !kernels::AnyNonZero(g);
}

template <typename T>
std::span<const T> MoveMomentum(const Link& link, const LinkMemory<T>& memory, std::span<const T> g) {
  if (!link.has_momentum()) return g;
  Move(link, g, memory.momentum);
  return memory.momentum;
}

template <typename T>
double SquaredNormToSend(const Link& link, const Compressor& compressor, const Piece& piece, Lane& lane,
                         const LinkMemory<T>& memory, double step_size, std::span<const T> g) {
  if (link.step_inside && IsNoStep<T>(step_size)) return 0;
  const Scratch::Scope scope(lane.scratch);
  const std::span<T> u = lane.scratch.Take<T>(g.size());
  if (link.has_momentum()) {
    std::ranges::copy(memory.momentum, u.begin());
    Move(link, g, u);
  } else {
    std::ranges::copy(g, u.begin());
  }
  if (link.shifts()) kernels::Subtract<T>(u, link.reference == Reference::kShift ? memory.h : memory.y, u);
  if (link.step_inside) kernels::Scale(static_cast<T>(step_size), u);
  if (link.remembers())
    kernels::AddValues(std::as_bytes(std::span<const T>(memory.e)).data(), T{1},
                       static_cast<T>(link.kappa.At(compressor, piece)), u);
  return kernels::SumOfSquares<T>(u, 1);
}

#define GRADWIRE_INSTANTIATE(T)                                                                                        \
  template bool IsUnused(const Link&, bool, std::span<const T>);                                                       \
  template std::span<const T> MoveMomentum(const Link&, const LinkMemory<T>&, std::span<const T>);                     \
  template double SquaredNormToSend(const Link&, const Compressor&, const Piece&, Lane&, const LinkMemory<T>&, double, \
                                    std::span<const T>);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
