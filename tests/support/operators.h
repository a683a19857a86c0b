// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>
#include <vector>

#include "gradwire/compressor.h"
#include "support/vectors.h"

namespace gradwire::testing {

/// Every example spec of every operator: what a test of all operators runs over.
inline std::vector<std::string> ExampleSpecs() {
  std::vector<std::string> specs;
  for (const CompressorInfo& info : Compressors())
    specs.insert(specs.end(), info.examples.begin(), info.examples.end());
  return specs;
}

/// A spec as a part of a test's name: letters and digits only.
inline std::string NameOfSpec(std::string name) {
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = c == '%' ? 'p' : '_';
  return name;
}

/// One piece of a parameter, and the elements that it holds.
template <typename T>
struct PieceCase {
  std::string name;
  Site site;
  std::vector<T> x;
  bool is_bound = false;  ///< the operator is one of pieces of this size alone
};

/// A site that shares no number with the defaults, so that an operator which mixes fields up is seen.
inline Site SiteOf(const Piece& piece, uint64_t step = 11) { return {77, Purpose::kCompress, 3, step, 5, piece}; }

/// The pieces of a parameter of `numel` elements, for each nasty vector; of large ones for four of them.
template <typename T>
void AppendCases(size_t numel, PieceRule rule, std::vector<PieceCase<T>>& cases) {
  for (const NamedVector<T>& vector : NastyVectors<T>(numel)) {
    const std::string name = vector.name;
    if (numel > 2000 && name != "gaussian" && name != "mixed scales" && name != "one spike" && name != "largest")
      continue;
    for (size_t p = 0; p < std::max<size_t>(PieceCount(numel, rule), 1); ++p) {
      const Piece piece = numel ? PieceAt(numel, rule, p) : Piece::Whole(0);
      const auto begin = vector.values.begin() + static_cast<std::ptrdiff_t>(piece.begin);
      cases.push_back({name + ", " + std::to_string(numel) + " elements, piece " + std::to_string(p) +
                           (rule == PieceRule::kTensor ? " (tensor)" : ""),
                       SiteOf(piece),
                       {begin, begin + static_cast<std::ptrdiff_t>(piece.numel)}});
    }
  }
}

/// A matrix as a piece of its own; a symmetric one has rows == cols.
inline Piece MatrixPiece(size_t rows, size_t cols) {
  Piece piece = Piece::Whole(rows * cols);
  piece.rows = rows, piece.cols = cols;
  return piece;
}
inline Piece SymmetricPiece(size_t d) {
  Piece piece = Piece::Whole(d * (d + 1) / 2);
  piece.rows = piece.cols = d, piece.symmetric = true;
  return piece;
}

/// Every nasty vector as matrices: square, wide, tall, of more than a block, and symmetric ones.
template <typename T>
void AppendMatrices(std::vector<PieceCase<T>>& cases) {
  for (const Piece& piece :
       {MatrixPiece(5, 5), MatrixPiece(4, 60), MatrixPiece(40, 26), SymmetricPiece(6), SymmetricPiece(45)})
    for (const NamedVector<T>& vector : NastyVectors<T>(piece.numel))
      cases.push_back({vector.name + (", " + std::to_string(piece.rows)) + " x " + std::to_string(piece.cols) +
                           (piece.symmetric ? " (symmetric)" : ""),
                       SiteOf(piece), vector.values});
}

/// Every nasty vector at the sizes around block, piece and index boundaries; the last has three pieces. Uncut only the
/// first size that differs. Then matrices.
template <typename T>
const std::vector<PieceCase<T>>& Cases() {
  static const std::vector<PieceCase<T>> cases = [] {
    std::vector<PieceCase<T>> all;
    for (const size_t numel : {0, 1, 7, 1023, 1024, 1025, 65535, 65536, 65537, 2 * 65536 + 1025}) {
      AppendCases(numel, PieceRule::kFixed, all);
      if (numel == kPieceNumel + 1) AppendCases(numel, PieceRule::kTensor, all);
    }
    AppendMatrices(all);
    return all;
  }();
  return cases;
}

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {  // -0 is not 0, and a NaN is itself
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// What Encode left: the payload and u - C(u).
template <typename T>
struct Encoded {
  std::vector<std::byte> bytes;
  std::vector<T> residual_out;
  bool finite = true;

  bool operator==(const Encoded& other) const {
    return SameBits(bytes, other.bytes) && SameBits(residual_out, other.residual_out);
  }
};

template <typename T>
Encoded<T> Encode(const Compressor& compressor, const Site& site, const std::vector<T>& v, T scale = 1,
                  const std::vector<T>& residual_in = {}) {
  Lane lane;
  Encoded<T> result{std::vector<std::byte>(compressor.Bytes(site.piece, kDtypeOf<T>)),
                    std::vector<T>(site.piece.numel)};
  const EncodeResult made = compressor.Encode(site, lane, v, scale, residual_in, result.residual_out, result.bytes);
  result.bytes.resize(made.bytes);
  result.finite = made.finite;
  return result;
}

template <typename T>
std::vector<T> Decode(const Compressor& compressor, const Site& site, std::span<const std::byte> bytes, T weight = 1,
                      Into into = Into::kWrite) {
  Lane lane;
  std::vector<T> out(site.piece.numel);
  const Payload payload{bytes, site.worker};
  compressor.Decode(site, lane, {&payload, 1}, std::span<const T>(&weight, 1), into, out);
  return out;
}

/// C(x).
template <typename T>
std::vector<T> Apply(const Compressor& compressor, const Site& site, const std::vector<T>& x) {
  return Decode<T>(compressor, site, Encode(compressor, site, x).bytes);
}

}  // namespace gradwire::testing
