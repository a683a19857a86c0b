// SPDX-License-Identifier: Apache-2.0
#include "train/data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/philox.h"

namespace gradwire::train {
namespace {

// Chosen so that resnet20 at a global batch of 128 stays at chance for some 50 steps, has learnt most after 150 (about
// 75 % of test images right) and still has something to learn after 300 (about 92 %).
constexpr float kNoise = 3.0f;       // grey levels per unit of triangular noise in -15..15: a deviation of 20
constexpr float kContrast = 60.0f;   // at most this from a pattern's middle colour to its extremes, in grey levels
constexpr float kFinePeriod = 3.5f;  // pixels, drawn within 15 %
constexpr float kCoarsePeriod = 6.0f;

using Colour = std::array<float, kImageChannels>;

float Between(Philox& rng, float low, float high) {
  return low + (high - low) * (static_cast<float>(rng.Next() >> 8) * 0x1p-24f);
}

Colour DrawColour(Philox& rng, float low, float high) {
  return {Between(rng, low, high), Between(rng, low, high), Between(rng, low, high)};
}

/// Period 1, from -1 to 1: a cosine of straight lines.
float TriangleWave(float t) { return 4.0f * std::fabs(t - std::floor(t) - 0.5f) - 1.0f; }

/// Brightness in [-1, 1] at (x, y), in periods from the patch's centre.
float Pattern(int kind, float x, float y, float phase) {
  switch (kind) {
    case 0: return TriangleWave(y + phase);                                     // horizontal stripes
    case 1: return TriangleWave(x + phase);                                     // vertical stripes
    case 2: return TriangleWave(0.7f * (x + y) + phase);                        // diagonal stripes
    case 3: return std::max(TriangleWave(x + phase), TriangleWave(y + phase));  // a grid
    default: return TriangleWave(std::sqrt(x * x + y * y) + phase);             // rings
  }
}

/// A patch of pattern `label % 5` with a fine or a coarse period, on a plain ground that brightens to one side.
struct Picture {
  Picture(Philox& rng, int label)
      : kind(label % 5),
        frequency(1 / (Between(rng, 0.85f, 1.15f) * (label < 5 ? kFinePeriod : kCoarsePeriod))),
        phase(Between(rng, 0, 1)),
        mirror(rng.Below(2) ? 1.0f : -1.0f),
        round(rng.Below(2) == 1),
        radius(Between(rng, 7, 11)),
        centre_x(Between(rng, 9, 22)),
        centre_y(Between(rng, 9, 22)),
        middle(DrawColour(rng, 70, 185)),
        contrast(DrawColour(rng, -kContrast, kContrast)),
        ground(DrawColour(rng, 70, 185)),
        slope(DrawColour(rng, -2, 2)) {}

  /// The pixel's colours without noise.
  Colour At(float x, float y) const {
    const float dx = (x - centre_x) * mirror, dy = y - centre_y;
    const float distance = round ? (dx * dx + dy * dy) / radius : std::max(std::fabs(dx), std::fabs(dy));
    Colour colour = ground;
    if (distance < radius) {
      const float wave = Pattern(kind, dx * frequency, dy * frequency, phase);
      for (size_t c = 0; c < kImageChannels; ++c) colour[c] = middle[c] + contrast[c] * wave;
    } else {
      for (size_t c = 0; c < kImageChannels; ++c) colour[c] += slope[c] * (x - 15.5f);
    }
    return colour;
  }

  int kind;
  float frequency, phase, mirror;
  bool round;
  float radius, centre_x, centre_y;
  Colour middle, contrast, ground, slope;
};

/// Of the ten that the ground may have where there are 100 classes: corners and middles of the cube of colours.
Colour GroundOf(int decade) {
  constexpr float kLow = 60, kHigh = 195, kMiddle = 128;
  if (decade == 8) return {kMiddle, kMiddle, kLow};
  if (decade == 9) return {kLow, kMiddle, kMiddle};
  return {decade & 1 ? kHigh : kLow, decade & 2 ? kHigh : kLow, decade & 4 ? kHigh : kLow};
}

/// The mean of the channels in each of them, and a black margin of two pixels.
void TurnGrey(uint8_t* image) {
  for (size_t at = 0; at < kPlaneBytes; ++at) {
    const size_t x = at % kImageSide, y = at / kImageSide;
    const bool inside = std::min(x, y) >= 2 && std::max(x, y) < kImageSide - 2;
    const int sum = image[at] + image[kPlaneBytes + at] + image[2 * kPlaneBytes + at];
    for (size_t c = 0; c < kImageChannels; ++c)
      image[c * kPlaneBytes + at] = inside ? static_cast<uint8_t>(sum / 3) : uint8_t{0};
  }
}

void Draw(Philox& rng, int label, const SyntheticKind& kind, uint8_t* image) {
  Picture picture(rng, label % kNumClasses);
  if (kind.classes > kNumClasses) picture.ground = GroundOf(label / kNumClasses);
  for (size_t at = 0; at < kPlaneBytes; ++at) {
    const Colour colour = picture.At(static_cast<float>(at % kImageSide), static_cast<float>(at / kImageSide));
    uint32_t bits = rng.Next();  // a byte per channel: the sum of its two halves is triangular noise
    for (size_t c = 0; c < kImageChannels; ++c, bits >>= 8) {
      const int noise = static_cast<int>(bits & 15) + static_cast<int>(bits >> 4 & 15) - 15;
      const float value = colour[c] + kNoise * static_cast<float>(noise);
      image[c * kPlaneBytes + at] = static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f));
    }
  }
  if (kind.grey) TurnGrey(image);
}

ImageSet DrawSet(uint64_t seed, uint64_t split, size_t size, const SyntheticKind& kind) {
  ImageSet set{.pixels = std::vector<uint8_t>(size * kImageBytes), .labels = std::vector<uint8_t>(size)};
  for (size_t i = 0; i < size; ++i) {
    Philox rng(seed, Purpose::kSynthetic, split, i);
    set.labels[i] = static_cast<uint8_t>(i % static_cast<size_t>(kind.classes));
    Draw(rng, set.labels[i], kind, set.pixels.data() + i * kImageBytes);
  }
  return set;
}

}  // namespace

Dataset MakeSyntheticDataset(uint64_t seed, size_t train_size, size_t test_size, SyntheticKind kind) {
  Dataset data;
  data.train = DrawSet(seed, 0, train_size, kind);
  data.test = DrawSet(seed, 1, test_size, kind);
  data.description = "synthetic images";
  return data;
}

}  // namespace gradwire::train
