// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "train/data/dataset.h"

namespace gradwire::train {

/// Black pixels added on each side before the crop. The usual order is pad, crop, flip, then normalise: a padded pixel
/// becomes -mean / std, not 0.
inline constexpr int kCropPadding = 4;

/// Names the random crops and flips of one epoch. The draw of an image depends on this and its index alone: it is the
/// same on any rank and in any batch.
struct AugmentKey {
  uint64_t seed = 0;
  uint64_t epoch = 0;
};

/// Writes images `indices` of `set` to `out`, [indices.size(), 3, 32, 32], as normalised floats; with a key, each one
/// randomly cropped out of its padded self and, where the set's images may be, mirrored with probability 1/2.
void FillBatch(const ImageSet& set, std::span<const uint32_t> indices, std::optional<AugmentKey> augment,
               std::span<float> out);

}  // namespace gradwire::train
