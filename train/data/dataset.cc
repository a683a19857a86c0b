// SPDX-License-Identifier: Apache-2.0
#include "train/data/dataset.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "train/config/config.h"
#include "train/data/synthetic.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "cifar-10-batches-bin";  // as the official archive unpacks
constexpr size_t kRecordBytes = 1 + kImageBytes;         // label, then the image
constexpr size_t kFullBatch = 10'000;                    // records in each official file

constexpr const char* kHowToGet =
    "\nTo get CIFAR-10's binary version (162 MiB):\n"
    "  curl -L --create-dirs -o data/cifar-10-binary.tar.gz https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz\n"
    "  tar -xzf data/cifar-10-binary.tar.gz -C data\n"
    "(`wget -P data URL` does as well), which data.root=data/cifar-10-batches-bin reads.";

[[noreturn]] void Fail(const fs::path& path, const std::string& what) {
  throw ConfigError(fmt::format("CIFAR-10: {}: {}{}", path.string(), what, kHowToGet));
}

/// Throws unless the file is there and as large as so many records.
void CheckRecords(const fs::path& path) {
  std::error_code failed;
  const auto bytes = fs::file_size(path, failed);
  if (failed || !std::ifstream(path)) Fail(path, "expected a file of labelled images, found none that can be read");
  if (bytes == 0 || bytes % kRecordBytes != 0)
    Fail(path, fmt::format("expected records of {} bytes (a label and 3 x 32 x 32 pixels), found {} bytes: "
                           "truncated, or not the binary version",
                           kRecordBytes, bytes));
}

std::vector<uint8_t> ReadFile(const fs::path& path) {
  CheckRecords(path);
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> bytes(fs::file_size(path));
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()))) {
    Fail(path, fmt::format("expected {} bytes, could read only {}", bytes.size(), file.gcount()));
  }
  return bytes;
}

void AppendFile(const fs::path& path, ImageSet& set) {
  const std::vector<uint8_t> bytes = ReadFile(path);
  for (size_t at = 0; at < bytes.size(); at += kRecordBytes) {
    if (bytes[at] >= kNumClasses) {
      Fail(path, fmt::format("expected labels 0 to 9, found {} in record {}", bytes[at], at / kRecordBytes));
    }
    set.labels.push_back(bytes[at]);
    const auto image = bytes.begin() + static_cast<std::ptrdiff_t>(at) + 1;
    set.pixels.insert(set.pixels.end(), image, image + kImageBytes);
  }
}

/// The folder with the files: `root` itself or the archive's folder within it. A folder of the archive's name counts
/// even when files lack, so that they are missed.
std::optional<fs::path> FindCifar10(const fs::path& root) {
  std::error_code ignored;
  if (fs::is_directory(root / kFolder, ignored)) return root / kFolder;
  if (fs::exists(root / "data_batch_1.bin", ignored)) return root;
  const fs::path plain = root.has_filename() ? root : root.parent_path();  // without a last '/'
  if (plain.filename() == kFolder && fs::is_directory(root, ignored)) return root;
  return std::nullopt;
}

/// The files of the training images. A subset may come as one small file; after a full first file the other four must
/// be there.
std::vector<fs::path> TrainingFiles(const fs::path& folder) {
  std::vector<fs::path> files;
  for (int i = 1; i <= 5; ++i) files.push_back(folder / fmt::format("data_batch_{}.bin", i));
  std::error_code failed;
  const auto first = fs::file_size(files[0], failed);
  if (!failed && first < kFullBatch * kRecordBytes && !fs::exists(files[1])) files.resize(1);
  return files;
}

ImageSet ReadTrainingSet(const fs::path& folder) {
  ImageSet set;
  set.pixels.reserve(5 * kFullBatch * kImageBytes);
  for (const fs::path& file : TrainingFiles(folder)) AppendFile(file, set);
  return set;
}

/// Why files of the folder cannot be read, as far as their sizes tell; empty where they tell nothing.
std::string DamageTo(const fs::path& folder) try {
  for (const fs::path& file : TrainingFiles(folder)) CheckRecords(file);
  CheckRecords(folder / "test_batch.bin");
  return "";
} catch (const ConfigError& error) {
  return error.what();
}

/// What is wrong with a folder in which CIFAR-10 was not found, as the end of a sentence.
std::string Describe(const fs::path& root) {
  std::error_code ignored;
  if (!fs::exists(root, ignored)) return "which does not exist";
  if (!fs::is_directory(root, ignored)) return "which is no folder";
  for (const char* python : {"data_batch_1", "cifar-10-batches-py"})
    if (fs::exists(root / python, ignored)) return "which has CIFAR-10's Python version, and the binary one is read";
  return fmt::format("which has neither data_batch_1.bin nor {} in it", kFolder);
}

std::string WithThousands(size_t n) {
  std::string digits = std::to_string(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string Sizes(const Dataset& data) {
  return fmt::format("{} + {} images", WithThousands(data.train.size()), WithThousands(data.test.size()));
}

Dataset LoadCifar10(const fs::path& folder) {
  Dataset data;
  data.train = ReadTrainingSet(folder);
  AppendFile(folder / "test_batch.bin", data.test);
  data.name = fmt::format("CIFAR-10 (binary version), {}", Sizes(data));
  data.description = fmt::format("{}, from {}", data.name, folder.string());
  return data;
}

Dataset LoadSynthetic(const std::string& why) {
  Dataset data = MakeSyntheticDataset();
  data.name = fmt::format("synthetic images, {}", Sizes(data));
  data.description = fmt::format("synthetic images ({}), {}", why, Sizes(data));
  return data;
}

}  // namespace

std::string MissingIn(const std::string& name, const std::string& root) {
  if (name == "synthetic") return "";
  if (const auto folder = FindCifar10(root)) return DamageTo(*folder);
  if (name == "auto" && root == DataConfig{}.root) return "";
  return fmt::format(
      "found {}, {}; expected a folder with CIFAR-10's binary version, or data.dataset: synthetic for "
      "the built-in images{}",
      root, Describe(root), kHowToGet);
}

Dataset LoadDataset(const std::string& name, const std::string& root) {
  if (name == "synthetic") return LoadSynthetic("as asked");
  if (name != "cifar10" && name != "auto") {
    throw ConfigError("data.dataset", fmt::format("expected auto, cifar10 or synthetic, found '{}'", name));
  }
  if (const std::string why = MissingIn(name, root); !why.empty()) throw ConfigError("data.root", "" + why);
  const auto folder = FindCifar10(root);
  return folder ? LoadCifar10(*folder) : LoadSynthetic(fmt::format("no CIFAR-10 in {}", root));
}

}  // namespace gradwire::train
