// SPDX-License-Identifier: Apache-2.0
#include "train/data/dataset.h"

#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "train/config/config.h"
#include "train/config/image_sets.h"
#include "train/data/image_files.h"
#include "train/data/synthetic.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

/// The folder with the files: `root` itself or the archive's folder within it. A folder of the archive's name counts
/// even when files lack, so that they are missed.
std::optional<fs::path> FindFolder(const ImageFiles& files, const fs::path& root) {
  std::error_code ignored;
  if (fs::is_directory(root / files.folder, ignored)) return root / files.folder;
  const fs::path plain = root.has_filename() ? root : root.parent_path();  // without a last '/'
  const auto is_others = [&](const ImageFiles& other) {                    // with files of the same names
    return other.name != files.name && other.folder == plain.filename().string();
  };
  if (std::ranges::any_of(AllImageFiles(), is_others)) return std::nullopt;
  if (fs::exists(root / files.mark, ignored)) return root;
  if (plain.filename() == files.folder && fs::is_directory(root, ignored)) return root;
  return std::nullopt;
}

/// Why files of the folder cannot be read, as far as their sizes tell; empty where they tell nothing.
std::string DamageTo(const ImageFiles& files, const fs::path& folder) try {
  files.check(files, folder);
  return "";
} catch (const ConfigError& error) {
  return error.what();
}

/// What is wrong with a folder in which the set was not found, as the end of a sentence.
std::string Describe(const ImageFiles& files, const fs::path& root) {
  std::error_code ignored;
  if (!fs::exists(root, ignored)) return "which does not exist";
  if (!fs::is_directory(root, ignored)) return "which is no folder";
  for (const std::string_view other : files.foreign)
    if (fs::exists(root / other, ignored)) return std::string(files.foreign_says);
  return fmt::format("which has neither {} nor {} in it", files.mark, files.folder);
}

std::string WithThousands(size_t n) {
  std::string digits = std::to_string(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string Sizes(const Dataset& data) {
  return fmt::format("{} + {} images", WithThousands(data.train.size()), WithThousands(data.test.size()));
}

Dataset LoadFiles(const ImageFiles& files, const fs::path& folder) {
  Dataset data = files.read(files, folder);
  for (ImageSet* set : {&data.train, &data.test})
    set->mean = files.mean, set->deviation = files.deviation, set->mirrors = files.mirrors;
  data.name = fmt::format("{} ({}), {}", files.title, files.version, Sizes(data));
  data.description = fmt::format("{}, from {}", data.name, folder.string());
  return data;
}

Dataset LoadSynthetic(SyntheticKind kind, const std::string& why) {
  Dataset data = MakeSyntheticDataset(0, 10'000, 2'000, kind);
  const std::string title = kind.grey ? "grey synthetic images" : "synthetic images";
  const std::string what = kind.classes == kNumClasses ? title : fmt::format("{} of {} classes", title, kind.classes);
  data.name = fmt::format("{}, {}", what, Sizes(data));
  data.description = fmt::format("{} ({}), {}", what, why, Sizes(data));
  return data;
}

}  // namespace

std::string MissingIn(const std::string& name, const std::string& root) {
  const NamedImages& set = FindImages(name);
  if (set.is_built_in) return "";
  const ImageFiles& files = *FindImageFiles(set.name);
  if (const auto folder = FindFolder(files, root)) return DamageTo(files, *folder);
  if (name == "auto" && root == DataConfig{}.root) return "";
  return fmt::format(
      "found {}, {}; expected a folder with {}'s {}, or data.dataset: synthetic for the built-in images{}", root,
      Describe(files, root), files.title, files.version, files.how_to_get);
}

Dataset LoadDataset(const std::string& name, const std::string& root) {
  const NamedImages& set = FindImages(name);
  if (set.is_built_in) return LoadSynthetic({static_cast<int>(set.classes), set.name == "synthetic_grey"}, "as asked");
  if (const std::string why = MissingIn(name, root); !why.empty()) throw ConfigError("data.root", "" + why);
  const ImageFiles& files = *FindImageFiles(set.name);
  const auto folder = FindFolder(files, root);
  return folder ? LoadFiles(files, *folder) : LoadSynthetic({}, fmt::format("no CIFAR-10 in {}", root));
}

}  // namespace gradwire::train
