// SPDX-License-Identifier: Apache-2.0
#include "train/data/augment.h"

#include <algorithm>
#include <cassert>

#include "base/philox.h"

namespace gradwire::train {
namespace {

constexpr int kSide = static_cast<int>(kImageSide);

/// Where the crop lies relative to the image, -kCropPadding..kCropPadding each way.
struct Crop {
  int dx = 0, dy = 0;
  bool flip = false;
};

Crop DrawCrop(const AugmentKey& key, uint32_t index) {
  Philox rng(key.seed, Purpose::kAugment, key.epoch, index);
  Crop crop;
  crop.dx = static_cast<int>(rng.Below(2 * kCropPadding + 1)) - kCropPadding;
  crop.dy = static_cast<int>(rng.Below(2 * kCropPadding + 1)) - kCropPadding;
  crop.flip = rng.Below(2) == 1;
  return crop;
}

/// (pixel / 255 - mean) / std as one multiplication and one addition; a black pixel gives `shift`.
struct Affine {
  float scale, shift;
};

Affine Normalisation(const ImageSet& set, size_t channel) {
  return {1.0f / (255.0f * set.deviation[channel]), -set.mean[channel] / set.deviation[channel]};
}

void FillPlane(const uint8_t* plane, const Crop& crop, const Affine& affine, float* out) {
  const int begin = std::max(0, -crop.dx), end = std::min(kSide, kSide - crop.dx);  // columns that show the image
  for (int y = 0; y < kSide; ++y, out += kSide) {
    const int from = y + crop.dy;
    if (from < 0 || from >= kSide) {
      std::fill_n(out, kSide, affine.shift);
      continue;
    }
    const uint8_t* row = plane + from * kSide + crop.dx;
    std::fill_n(out, begin, affine.shift);
    for (int x = begin; x < end; ++x) out[x] = static_cast<float>(row[x]) * affine.scale + affine.shift;
    std::fill(out + end, out + kSide, affine.shift);
    if (crop.flip) std::reverse(out, out + kSide);
  }
}

}  // namespace

void FillBatch(const ImageSet& set, std::span<const uint32_t> indices, std::optional<AugmentKey> augment,
               std::span<float> out) {
  assert(out.size() == indices.size() * kImageBytes);
  float* to = out.data();
  for (const uint32_t index : indices) {
    assert(index < set.size());
    Crop crop = augment ? DrawCrop(*augment, index) : Crop{};
    crop.flip &= set.mirrors;
    const uint8_t* image = set.pixels.data() + index * kImageBytes;
    for (size_t c = 0; c < kImageChannels; ++c, image += kPlaneBytes, to += kPlaneBytes) {
      FillPlane(image, crop, Normalisation(set, c), to);
    }
  }
}

}  // namespace gradwire::train
