// SPDX-License-Identifier: Apache-2.0
#include "gradwire/piece.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gradwire {
namespace {

constexpr std::array<std::pair<std::string_view, PieceRule>, 3> kRules = {
    {{"fixed", PieceRule::kFixed}, {"tensor", PieceRule::kTensor}, {"matrix", PieceRule::kMatrix}}};

}  // namespace

std::string_view NameOf(PieceRule rule) {
  return std::ranges::find(kRules, rule, &std::pair<std::string_view, PieceRule>::second)->first;
}

std::optional<PieceRule> FindPieceRule(std::string_view name) {
  for (const auto& [known, rule] : kRules)
    if (known == name) return rule;
  return std::nullopt;
}

size_t PieceCount(size_t parameter_numel, PieceRule rule) {
  if (rule != PieceRule::kFixed) return parameter_numel > 0 ? 1 : 0;
  return (parameter_numel + kPieceNumel - 1) / kPieceNumel;
}

size_t PieceCount(const Parameter& parameter, PieceRule rule) {
  return PieceCount(parameter.numel(), parameter.symmetric ? PieceRule::kMatrix : rule);
}

Piece PieceAt(size_t parameter_numel, PieceRule rule, size_t index) {
  if (rule != PieceRule::kFixed) return Piece::Whole(parameter_numel);
  const size_t begin = index * kPieceNumel;
  return {static_cast<uint32_t>(index), begin, std::min(kPieceNumel, parameter_numel - begin), parameter_numel};
}

Piece PieceOf(const Parameter& parameter, PieceRule rule, size_t index) {
  Piece piece = PieceAt(parameter.numel(), parameter.symmetric ? PieceRule::kMatrix : rule, index);
  if (parameter.symmetric) {
    piece.rows = piece.cols = static_cast<size_t>(parameter.shape[0]);
    piece.symmetric = true;
    return piece;
  }
  if (rule != PieceRule::kMatrix || parameter.shape.size() < 2) return piece;
  piece.rows = static_cast<size_t>(parameter.shape[0]);
  piece.cols = piece.numel / piece.rows;
  return piece;
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
