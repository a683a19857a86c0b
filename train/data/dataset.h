// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gradwire::train {

constexpr size_t kImageChannels = 3;
constexpr size_t kImageSide = 32;
constexpr size_t kPlaneBytes = kImageSide * kImageSide;
constexpr size_t kImageBytes = kImageChannels * kPlaneBytes;
constexpr int kNumClasses = 10;

/// Mean and standard deviation of each channel over CIFAR-10's training images, of pixels scaled to [0, 1].
inline constexpr std::array<float, kImageChannels> kCifar10Mean = {0.4914f, 0.4822f, 0.4465f};
inline constexpr std::array<float, kImageChannels> kCifar10Std = {0.2470f, 0.2435f, 0.2616f};

/// Labelled 32 x 32 RGB images, held as bytes: an image becomes floats only when a batch is made (augment.h).
struct ImageSet {
  std::vector<uint8_t> pixels;  ///< [size, 3, 32, 32]: a red, a green and a blue plane per image, row-major
  std::vector<uint8_t> labels;  ///< [size]
  std::array<float, kImageChannels> mean = kCifar10Mean, deviation = kCifar10Std;  ///< that pixels are normalised by
  bool mirrors = true;  ///< whether a mirrored image keeps its class

  size_t size() const { return labels.size(); }
};

struct Dataset {
  ImageSet train, test;
  std::string name;         ///< what it is, and how many images
  std::string description;  ///< for the log: the same, and from where
};

/// Loads a data set by its `data.dataset` name: from `root`, or the folder of its archive in it, the files that
/// image_files.h says; of a built-in one (synthetic.h) `root` is ignored. `auto` is cifar10 where `root` has it; else,
/// where `root` is data.root's default, synthetic. Throws ConfigError for another name, and where a file is missing,
/// truncated or of something else. A damaged set and a folder that was asked for are never turned into other images. A
/// subset of CIFAR-10 may have smaller files, or all of its training images in data_batch_1.bin.
Dataset LoadDataset(const std::string& name, const std::string& root);

/// Why LoadDataset cannot read the images, as far as names and sizes of files tell; empty where they tell nothing.
std::string MissingIn(const std::string& name, const std::string& root);

}  // namespace gradwire::train
