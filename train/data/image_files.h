// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "train/data/dataset.h"

namespace gradwire::train {

/// A set of images in files of a format: a row.
struct ImageFiles {
  std::string_view name;                  ///< as data.dataset has it
  std::string_view title, version;        ///< "CIFAR-10", "binary version"
  std::string_view folder;                ///< as the official archive unpacks, or as how_to_get makes it
  std::string_view mark;                  ///< a file by which a folder is known
  std::vector<std::string_view> foreign;  ///< what is in folders of another version
  std::string_view foreign_says;          ///< what is wrong with these, as the end of a sentence
  std::string_view how_to_get;            ///< commands, with a line for each
  int classes;
  std::array<float, kImageChannels> mean, deviation;  ///< of the training images' channels, scaled to [0, 1]
  bool mirrors;                                       ///< whether a mirrored image keeps its class
  /// Throws ConfigError where sizes and headers of the folder's files are not those of the set.
  void (*check)(const ImageFiles& files, const std::filesystem::path& folder);
  /// Reads both splits. Throws ConfigError.
  Dataset (*read)(const ImageFiles& files, const std::filesystem::path& folder);
};

const std::vector<ImageFiles>& AllImageFiles();
/// Null for a set that has no files.
const ImageFiles* FindImageFiles(std::string_view name);

/// Throws ConfigError "TITLE: PATH: WHAT", and how to get the files.
[[noreturn]] void Fail(const ImageFiles& files, const std::filesystem::path& path, const std::string& what);

/// The size of a file that can be opened. Throws ConfigError where it cannot.
size_t SizeOf(const ImageFiles& files, const std::filesystem::path& path, std::string_view expected);
/// All of its bytes. Throws ConfigError.
std::vector<uint8_t> ReadAll(const ImageFiles& files, const std::filesystem::path& path);

/// The records of CIFAR's binary versions: one label, or a coarse and a fine one, then an image.
void CheckCifar10(const ImageFiles& files, const std::filesystem::path& folder);
Dataset ReadCifar10(const ImageFiles& files, const std::filesystem::path& folder);
void CheckCifar100(const ImageFiles& files, const std::filesystem::path& folder);
Dataset ReadCifar100(const ImageFiles& files, const std::filesystem::path& folder);
/// IDX files (yann.lecun.com/exdb/mnist): 28 x 28 grey images, put amid 32 x 32 black pixels, three times.
void CheckIdx(const ImageFiles& files, const std::filesystem::path& folder);
Dataset ReadIdx(const ImageFiles& files, const std::filesystem::path& folder);

}  // namespace gradwire::train
