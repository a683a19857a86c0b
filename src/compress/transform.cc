// SPDX-License-Identifier: Apache-2.0
#include "compress/transform.h"

#include <cmath>
#include <limits>
#include <utility>

#include "compress/combination.h"

namespace gradwire {
namespace {

/// x in T: beyond it, its largest number; 0 where sums of both infinities left no number.
template <typename T>
T Within(double x) {
  constexpr double kMost = std::numeric_limits<T>::max();
  return std::isnan(x) ? T{0} : static_cast<T>(std::clamp(x, -kMost, kMost));
}

class Transformed final : public Combination<Transformed>, public TransformedParts {
 public:
  Transformed(std::shared_ptr<const Transform> transform, Part inner)
      : transform_(std::move(transform)), inner_(std::move(inner)) {}

  std::string spec() const override { return transform_->name() + "(" + inner_->spec() + ")"; }
  bool unbiased() const override { return inner_->unbiased(); }
  bool linear() const override { return inner_->linear() && transform_->is_common(); }
  std::optional<double> omega(const Piece& piece) const override { return transform_->Omega(*inner_, piece); }
  std::optional<double> delta(const Piece& piece) const override { return transform_->Delta(*inner_, piece); }
  bool contracts(const Piece& piece) const override {
    return transform_->is_isometry() ? inner_->contracts(transform_->Image(piece)) : Combination::contracts(piece);
  }
  Scope scope() const override { return inner_->scope(); }
  std::shared_ptr<const Compressor> ForNorm(double norm) const override {
    const Part of_piece = transform_->is_isometry() ? inner_->ForNorm(norm) : nullptr;
    return of_piece ? MakeTransformed(transform_, of_piece) : nullptr;
  }
  bool sees_shape() const override { return inner_->sees_shape(); }
  bool variable() const override { return inner_->variable(); }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return inner_->Bytes(transform_->Image(piece), dtype);
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype dtype,
                     std::span<const std::byte> payload) const override {
    return inner_->PaperBits(rule, transform_->Image(piece), dtype, payload);
  }

  const Transform& transform() const override { return *transform_; }
  const Compressor& inner() const override { return *inner_; }

  template <typename T>
  size_t EncodeParts(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    const Site of_image = ImageOf(site);
    const std::span<double> v = lane.scratch.Take<double>(u.size()),
                            tv = lane.scratch.Take<double>(of_image.piece.numel);
    std::copy(u.begin(), u.end(), v.begin());
    transform_->Forward(site.worker, v, tv);
    const std::span<T> image = lane.scratch.Take<T>(tv.size());
    for (size_t j = 0; j < tv.size(); ++j) image[j] = Within<T>(tv[j]);
    return inner_->Encode(of_image, lane, std::span<const T>(image), T{1}, std::span<const T>{}, std::span<T>{}, out)
        .bytes;
  }

  template <typename T>
  void DecodeParts(const Site& site, Lane& lane, std::span<const std::byte> payload, std::span<T> out) const {
    const Site of_image = ImageOf(site);
    const std::span<T> image = lane.scratch.Take<T>(of_image.piece.numel);
    DecodePart(*inner_, of_image, lane, payload, Into::kWrite, image);
    const std::span<double> ty = lane.scratch.Take<double>(image.size()), y = lane.scratch.Take<double>(out.size());
    std::copy(image.begin(), image.end(), ty.begin());
    transform_->Back(site.worker, ty, y);
    for (size_t j = 0; j < out.size(); ++j) out[j] = Within<T>(y[j]);
  }

 private:
  Site ImageOf(Site site) const {
    site.piece = transform_->Image(site.piece);
    return site;
  }

  std::shared_ptr<const Transform> transform_;
  Part inner_;
};

}  // namespace

std::optional<double> OmegaOfImage(const Compressor& compressor, const Piece& piece) {
  const auto* parts = dynamic_cast<const TransformedParts*>(&compressor);
  return parts ? parts->inner().omega(parts->transform().Image(piece)) : compressor.omega(piece);
}

std::shared_ptr<const Compressor> MakeTransformed(std::shared_ptr<const Transform> transform,
                                                  std::shared_ptr<const Compressor> inner) {
  return std::make_shared<Transformed>(std::move(transform), std::move(inner));
}

}  // namespace gradwire
