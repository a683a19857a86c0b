// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradwire::train {

/// A set of images, as data.dataset calls it: what the configuration has to know of it. Its files are rows of
/// train/data/image_files.cc.
struct NamedImages {
  std::string_view name;
  int64_t classes;
  bool is_built_in = false;  ///< no files are read (train/data/synthetic.h)
};
const std::vector<NamedImages>& AllNamedImages();

/// The row of data.dataset, where auto is CIFAR-10's, whose stand-in is like it. Throws ConfigError for another name.
const NamedImages& FindImages(std::string_view dataset);

/// auto, and the names of all rows.
std::vector<std::string> DatasetNames();

}  // namespace gradwire::train
