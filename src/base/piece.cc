// SPDX-License-Identifier: Apache-2.0
#include "gradwire/piece.h"

#include <algorithm>

namespace gradwire {

size_t PieceCount(size_t parameter_numel, PieceRule rule) {
  if (rule == PieceRule::kTensor) return parameter_numel > 0 ? 1 : 0;
  return (parameter_numel + kPieceNumel - 1) / kPieceNumel;
}

Piece PieceAt(size_t parameter_numel, PieceRule rule, size_t index) {
  if (rule == PieceRule::kTensor) return Piece::Whole(parameter_numel);
  const size_t begin = index * kPieceNumel;
  return {static_cast<uint32_t>(index), begin, std::min(kPieceNumel, parameter_numel - begin), parameter_numel};
}

size_t ShareOf(size_t k, const Piece& piece) {
  if (piece.numel == 0) return 0;
  const size_t total = piece.parameter_numel;
  k = std::min(k, total);
  if (piece.numel == total) return std::max<size_t>(k, 1);
  // All pieces but perhaps the last have kPieceNumel elements, so there are only two different quotas k * size / total.
  // 128-bit products: k * size may exceed 64 bits for parameters beyond 2^48 elements only, but costs nothing here.
  const size_t full = total / kPieceNumel, rest = total % kPieceNumel;
  const auto product = [&](size_t size) { return static_cast<unsigned __int128>(k) * size; };
  const size_t full_floor = static_cast<size_t>(product(kPieceNumel) / total);
  const size_t full_remainder = static_cast<size_t>(product(kPieceNumel) % total);
  const size_t rest_floor = static_cast<size_t>(product(rest) / total);
  const size_t rest_remainder = static_cast<size_t>(product(rest) % total);
  size_t left = k - full * full_floor - rest_floor;  // units still to hand out, one per piece at most
  // A last piece too short for a quota of 1 still gets its one out of the k, so that the shares add up.
  const bool rest_first = rest > 0 && (rest_floor == 0 || rest_remainder > full_remainder);
  if (piece.numel != kPieceNumel) {  // the last, shorter piece
    const bool takes = left > 0 && (rest_first || left > full);
    return std::max<size_t>(rest_floor + takes, 1);
  }
  if (rest_first && left > 0) --left;
  return std::max<size_t>(full_floor + (piece.index < left), 1);
}

}  // namespace gradwire
