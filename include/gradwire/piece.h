// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "gradwire/parameter.h"

namespace gradwire {

/// Elements in a piece: 256 KiB of floats stay in a core's L2 cache, and positions within a piece fit 16 bits.
inline constexpr size_t kPieceNumel = 65536;

/// How a parameter is cut: kFixed into pieces of kPieceNumel elements (the last one shorter), kTensor not at all (the
/// per-tensor rule of many papers), kMatrix not at all either, and operators see its shape.
enum class PieceRule { kFixed, kTensor, kMatrix };

/// "fixed", "tensor", "matrix": the values of comm.piece.
std::string_view NameOf(PieceRule rule);
/// The rule of that name; empty for another one.
std::optional<PieceRule> FindPieceRule(std::string_view name);

/// What an operator acts on: consecutive elements of one parameter. The cut depends on (parameter, numel) alone, so
/// payload bytes do not depend on the bucket cap, the world size or the topology.
struct Piece {
  uint32_t index = 0;          ///< position among the parameter's pieces
  size_t begin = 0;            ///< first element within the parameter
  size_t numel = 0;            ///< elements in this piece
  size_t parameter_numel = 0;  ///< elements in the whole parameter
  size_t rows = 0, cols = 0;   ///< of a matrix, row by row: rows * cols == numel; 0: its elements have no other shape
  bool symmetric = false;      ///< of a symmetric matrix: rows == cols, and the elements are those of its Parameter

  /// A parameter that is one piece.
  static Piece Whole(size_t numel) { return {0, 0, numel, numel}; }
};

/// Number of pieces; 0 for an empty parameter.
size_t PieceCount(size_t parameter_numel, PieceRule rule);
/// The same of a parameter. A symmetric one is not cut by any rule.
size_t PieceCount(const Parameter& parameter, PieceRule rule);

/// The index-th piece; index < PieceCount(...). Without a shape.
Piece PieceAt(size_t parameter_numel, PieceRule rule, size_t index);
/// The same piece of a parameter. With kMatrix one of two dimensions or more is a matrix: a row for each index of the
/// first dimension. A symmetric parameter is one by every rule.
Piece PieceOf(const Parameter& parameter, PieceRule rule, size_t index);

/// The piece's share of a count `k` meant for its whole parameter, by largest remainder (ties to the lower index), so
/// that the shares add up to min(k, parameter_numel). A share is at least 1: a piece that never sends anything would
/// never be corrected by error feedback. Only then, when k is smaller than the number of pieces, is the sum above k.
size_t ShareOf(size_t k, const Piece& piece);

}  // namespace gradwire
