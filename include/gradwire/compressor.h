// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/bit_rule.h"
#include "gradwire/into.h"
#include "gradwire/scratch.h"
#include "gradwire/site.h"

namespace gradwire {

/// The type of the gradient's elements. kF64 is for the convex problems, where methods are checked to 1e-10.
enum class Dtype { kF32, kF64 };

template <typename T>
inline constexpr Dtype kDtypeOf = Dtype::kF32;
template <>
inline constexpr Dtype kDtypeOf<double> = Dtype::kF64;

/// What an operator has to see at once.
enum class Scope { kPiece, kModel };

constexpr size_t SizeOf(Dtype dtype) { return dtype == Dtype::kF32 ? 4 : 8; }

/// What came of an Encode.
struct EncodeResult {
  size_t bytes = 0;    ///< of the payload
  bool finite = true;  ///< whether u had no infinite and no NaN element
};

/// One encoded piece as it lies in a message, and who encoded it (its site's worker).
struct Payload {
  std::span<const std::byte> bytes;
  uint32_t worker = 0;
};

/// A compression operator C. Stateless and thread-safe; memory of what was left out belongs to the link.
///
/// Conventions: U(omega) means E C(x) = x and E||C(x) - x||^2 <= omega ||x||^2; delta-contractive means
/// E||C(x) - x||^2 <= (1 - delta) ||x||^2 with delta in (0, 1]. C(0) = 0 for every operator.
/// Elements that are not finite are never sent, and never remembered: see Encode.
class Compressor {
 public:
  virtual ~Compressor() = default;

  /// The spec that makes this operator again, e.g. "topk:1%".
  virtual std::string spec() const = 0;
  /// Whether E C(x) = x.
  virtual bool unbiased() const = 0;
  /// Whether C(x) = x, so that nothing is compressed.
  virtual bool is_identity() const { return false; }
  /// Whether C(x + y) = C(x) + C(y), whatever the sites' workers are, so that messages can be summed on the way: the
  /// payload is then an array of T and nothing else, and payloads are summed element by element.
  virtual bool linear() const { return false; }
  /// omega for this piece; empty where the operator is not in any U(omega).
  virtual std::optional<double> omega(const Piece& piece) const = 0;
  /// delta for this piece; empty where the operator is not contractive.
  virtual std::optional<double> delta(const Piece& piece) const = 0;
  /// Whether it contracts. Clipping does, by no constant delta.
  virtual bool contracts(const Piece& piece) const { return delta(piece).value_or(0) > 0; }

  /// What one application sees. A kModel operator (clipping by the global norm) takes the whole gradient as one piece.
  virtual Scope scope() const { return Scope::kPiece; }
  /// Of a kModel operator: itself for each of several pieces, where it has to know no more of the others than the L2
  /// norm of all together. Payloads are those of any other norm. Null: it takes one piece and no more.
  virtual std::shared_ptr<const Compressor> ForNorm(double) const { return nullptr; }
  /// Whether it treats a matrix as one: rows and columns matter, where the piece has them. Without, all goes as it is.
  virtual bool sees_shape() const { return false; }
  /// Whether it keeps no more than site.most elements, and its payload says how many.
  virtual bool keeps_fewer() const { return false; }
  /// Whether payloads have any size up to Bytes(): they then cost a round of lengths.
  virtual bool variable() const { return false; }
  /// Size in bytes of the payload for this piece: exact, so that every rank allocates and posts its receive by it; an
  /// upper bound where variable().
  virtual size_t Bytes(const Piece& piece, Dtype dtype) const = 0;
  /// The bits that a paper would count for this payload, which Encode made of that piece; those that it has, where the
  /// operator is in none.
  virtual uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype dtype,
                             std::span<const std::byte> payload) const;

  /// u = scale * v + residual_in; writes C(u) to `out` and u - C(u) to `residual_out`. Says how many bytes the payload
  /// has. `v`, `residual_in`, `residual_out`: site.piece.numel elements each, or empty (v, residual_in: zero;
  /// residual_out: not wanted). `residual_out` may be `v` or `residual_in` itself, and must not overlap them otherwise.
  /// `out`: exactly Bytes(site.piece, dtype) bytes, aligned to 16. Every byte of the payload is written, so that equal
  /// input gives equal bytes.
  /// Where u has an infinite or NaN element, v counts as zero in that element's block (of 1,024 elements, counted from
  /// the piece's begin), and the result says so: nobody needs a pass of his own to look, and memory stays finite.
  virtual EncodeResult Encode(const Site& site, Lane& lane, std::span<const float> v, float scale,
                              std::span<const float> residual_in, std::span<float> residual_out,
                              std::span<std::byte> out) const = 0;
  virtual EncodeResult Encode(const Site& site, Lane& lane, std::span<const double> v, double scale,
                              std::span<const double> residual_in, std::span<double> residual_out,
                              std::span<std::byte> out) const = 0;

  /// Into `out` goes sum_r weights[r] * payloads[r], added in the order given, from 0 or, with Into::kAdd, from what
  /// `out` holds: replicas that decode the same payloads in the same order get the same bits. site.worker is ignored:
  /// each payload names its own.
  /// Throws PeerError naming the worker whose bytes cannot be a payload of this operator; `out` is then undefined.
  virtual void Decode(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const float> weights,
                      Into into, std::span<float> out) const = 0;
  virtual void Decode(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const double> weights,
                      Into into, std::span<double> out) const = 0;
};

/// An operator as `gradwire list` shows it.
struct CompressorInfo {
  std::string_view syntax;                 ///< e.g. "topk:K or topk:P%"
  std::string_view summary;                ///< what it keeps, and what it costs on the wire
  std::string_view source;                 ///< paper
  std::vector<std::string_view> examples;  ///< specs that parse; the laws test takes up every one
};

/// Every operator there is.
const std::vector<CompressorInfo>& Compressors();

/// Makes an operator from its spec. Throws ConfigError that says what was expected and the nearest operator's name.
std::shared_ptr<const Compressor> ParseCompressor(std::string_view spec);

}  // namespace gradwire
