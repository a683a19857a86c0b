// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "train/config/config.h"

namespace gradwire::train {

/// A YAML file that lives as long as this object.
class ConfigFile {
 public:
  explicit ConfigFile(std::string_view yaml, std::string_view stem = "config")
      : path_(testing::TempDir() + std::string(stem) + "." + std::to_string(getpid()) + ".yaml") {
    std::ofstream(path_) << yaml;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// What LoadConfig makes of this text and these words of the command line.
inline Config Load(std::string_view yaml, const std::vector<std::string>& words = {}) {
  const ConfigFile file(yaml);
  std::vector<Override> overrides;
  for (const std::string& word : words) overrides.push_back(ParseOverride(word));
  return LoadConfig(file.path(), overrides);
}

}  // namespace gradwire::train
