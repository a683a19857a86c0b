// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "gradwire/compressor.h"

namespace gradwire {

/// A linear map T of a piece, with T^-1 T v = v for all v that are sent: a change of basis, or the root of a smoothness
/// matrix. Both ends have it before the first message; it is no part of any payload. Thread-safe.
class Transform {
 public:
  virtual ~Transform() = default;

  /// How specs and errors call it: the operator is "name(inner)".
  virtual std::string name() const = 0;
  /// What the inner operator sees in place of this piece.
  virtual Piece Image(const Piece& piece) const = 0;
  /// image = T v, where `worker` encodes. v: piece.numel elements; image: those of Image(piece), all written. They do
  /// not overlap.
  virtual void Forward(uint32_t worker, std::span<const double> v, std::span<double> image) const = 0;
  /// v = T^-1 image, of what `worker` encoded; sizes as above, all written.
  virtual void Back(uint32_t worker, std::span<const double> image, std::span<double> v) const = 0;

  /// Whether ||T v|| = ||v|| for all v, and T^-1 is its transpose: the inner operator's constants then hold for the
  /// whole.
  virtual bool is_isometry() const { return false; }
  /// Whether T is the same for all workers, so that images of a linear inner operator can be summed on the way.
  virtual bool is_common() const { return false; }

  /// omega and delta of T^-1 C T with this C, of a piece of the whole and in its Euclidean norm; empty where C has none
  /// or none is known.
  virtual std::optional<double> Omega(const Compressor& inner, const Piece& piece) const {
    return is_isometry() ? inner.omega(Image(piece)) : std::nullopt;
  }
  virtual std::optional<double> Delta(const Compressor& inner, const Piece& piece) const {
    return is_isometry() ? inner.delta(Image(piece)) : std::nullopt;
  }
};

/// What an operator made by MakeTransformed is made of: dynamic_cast finds it.
class TransformedParts {
 public:
  virtual ~TransformedParts() = default;
  virtual const Transform& transform() const = 0;
  virtual const Compressor& inner() const = 0;
};

/// omega of C alone, in the norm of the image, of an operator T^-1 C T; of any other operator its own.
std::optional<double> OmegaOfImage(const Compressor& compressor, const Piece& piece);

/// The operator T^-1 C T. Its payload is C's of the image, and so are its bytes and a paper's bits; its random bits are
/// C's at the same site, with the image's piece. Residuals and shifts are of the whole, and of its type: the transform
/// is worked out in doubles, the image rounded to the type of the message. Elements of the result beyond that type are
/// its largest number.
std::shared_ptr<const Compressor> MakeTransformed(std::shared_ptr<const Transform> transform,
                                                  std::shared_ptr<const Compressor> inner);

}  // namespace gradwire
