// SPDX-License-Identifier: Apache-2.0
#include "train/data/augment.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "train/data/synthetic.h"

namespace gradwire::train {
namespace {

using Image = std::vector<float>;

Image Fill(const ImageSet& set, uint32_t index, std::optional<AugmentKey> key) {
  Image image(kImageBytes);
  FillBatch(set, std::span(&index, 1), key, image);
  return image;
}

float Normalised(uint8_t pixel, size_t channel) {
  return (static_cast<float>(pixel) / 255 - kCifar10Mean[channel]) / kCifar10Std[channel];
}

/// The plain rule: 4 black pixels all round, then a 32 x 32 window at (left, top) of the 40 x 40, mirrored or not.
Image Reference(const ImageSet& set, uint32_t index, int left, int top, bool flip) {
  Image image;
  for (size_t c = 0; c < 3; ++c) {
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x) {
        const int from_x = (flip ? 31 - x : x) + left - 4, from_y = y + top - 4;
        const bool in = from_x >= 0 && from_x < 32 && from_y >= 0 && from_y < 32;
        const size_t at = index * kImageBytes + c * kPlaneBytes + static_cast<size_t>(in ? from_y * 32 + from_x : 0);
        image.push_back(Normalised(in ? set.pixels[at] : 0, c));
      }
    }
  }
  return image;
}

bool Near(const Image& a, const Image& b) {
  return std::equal(a.begin(), a.end(), b.begin(), [](float x, float y) { return std::abs(x - y) < 1e-5f; });
}

/// left + 9 * top + 81 * flip of the window that gives `image`, -1 when none does.
int WindowOf(const ImageSet& set, uint32_t index, const Image& image) {
  for (int window = 0; window < 162; ++window) {
    if (Near(image, Reference(set, index, window % 9, window / 9 % 9, window >= 81))) return window;
  }
  return -1;
}

TEST(AugmentTest, WithoutAKeyImagesAreOnlyNormalised) {
  const ImageSet set = MakeSyntheticDataset(1, 3, 0).train;
  for (uint32_t i = 0; i < 3; ++i) EXPECT_TRUE(Near(Fill(set, i, std::nullopt), Reference(set, i, 4, 4, false)));
}

TEST(AugmentTest, NormalisationGivesMeanZeroAndUnitDeviationAtTheConstants) {
  ImageSet set{std::vector<uint8_t>(kImageBytes), {0}};
  for (size_t c = 0; c < 3; ++c) set.pixels[c * kPlaneBytes] = 255;
  const Image image = Fill(set, 0, std::nullopt);
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(image[c * kPlaneBytes], (1 - kCifar10Mean[c]) / kCifar10Std[c], 1e-6);
    EXPECT_NEAR(image[c * kPlaneBytes + 1], -kCifar10Mean[c] / kCifar10Std[c], 1e-6);
  }
}

TEST(AugmentTest, EveryCropAndFlipOfThePaddedImageOccursAndNothingElse) {
  const ImageSet set = MakeSyntheticDataset(1, 1, 0).train;
  std::set<int> lefts, tops, flips;
  for (uint64_t epoch = 0; epoch < 100; ++epoch) {
    const int window = WindowOf(set, 0, Fill(set, 0, AugmentKey{3, epoch}));
    ASSERT_GE(window, 0) << "epoch " << epoch;
    lefts.insert(window % 9);
    tops.insert(window / 9 % 9);
    flips.insert(window / 81);
  }
  EXPECT_EQ(lefts.size(), 9u);  // each is missed with probability (8/9)^100 = 8e-6
  EXPECT_EQ(tops.size(), 9u);
  EXPECT_EQ(flips.size(), 2u);
}

TEST(AugmentTest, AnImageGetsTheSameCropInAnyBatch) {
  const ImageSet set = MakeSyntheticDataset(1, 8, 0).train;
  const std::vector<uint32_t> indices = {6, 1, 7, 6};
  Image batch(indices.size() * kImageBytes);
  FillBatch(set, indices, AugmentKey{5, 2}, batch);
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto begin = batch.begin() + static_cast<std::ptrdiff_t>(i * kImageBytes);
    EXPECT_EQ(Image(begin, begin + kImageBytes), Fill(set, indices[i], AugmentKey{5, 2})) << "at " << i;
  }
}

TEST(AugmentTest, CropsDifferBySeedEpochAndImage) {
  ImageSet set = MakeSyntheticDataset(1, 1, 0).train;
  for (int copy = 1; copy < 40; ++copy) {
    set.labels.push_back(0);
    set.pixels.insert(set.pixels.end(), set.pixels.begin(), set.pixels.begin() + kImageBytes);
  }
  std::vector<uint32_t> indices(40);
  std::iota(indices.begin(), indices.end(), 0u);
  const auto batch = [&](AugmentKey key) {
    Image out(indices.size() * kImageBytes);
    FillBatch(set, indices, key, out);
    return out;
  };
  const Image base = batch({5, 2});
  EXPECT_NE(base, batch({6, 2}));
  EXPECT_NE(base, batch({5, 3}));
  std::set<Image> images;
  for (auto at = base.begin(); at != base.end(); at += kImageBytes) images.emplace(at, at + kImageBytes);
  EXPECT_GT(images.size(), 20u);  // 40 draws of 162 give 35.5 different ones on average
}

}  // namespace
}  // namespace gradwire::train
