// SPDX-License-Identifier: Apache-2.0
#include "train/dataset.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "train/synthetic.h"

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
  throw Error(fmt::format("CIFAR-10: {}: {}{}", path.string(), what, kHowToGet));
}

std::vector<uint8_t> ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail(path, "expected a file of labelled images, found none that can be read");
  std::vector<uint8_t> bytes(fs::file_size(path));
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()))) {
    Fail(path, fmt::format("expected {} bytes, could read only {}", bytes.size(), file.gcount()));
  }
  return bytes;
}

void AppendFile(const fs::path& path, ImageSet& set) {
  const std::vector<uint8_t> bytes = ReadFile(path);
  if (bytes.empty() || bytes.size() % kRecordBytes != 0) {
    Fail(path, fmt::format("expected records of {} bytes (a label and 3 x 32 x 32 pixels), found {} bytes: "
                           "truncated, or not the binary version",
                           kRecordBytes, bytes.size()));
  }
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
  if (fs::is_directory(root / kFolder)) return root / kFolder;
  if (fs::exists(root / "data_batch_1.bin")) return root;
  if (root.filename() == kFolder && fs::is_directory(root)) return root;
  return std::nullopt;
}

ImageSet ReadTrainingSet(const fs::path& folder) {
  ImageSet set;
  set.pixels.reserve(5 * kFullBatch * kImageBytes);
  for (int i = 1; i <= 5; ++i) {
    const fs::path path = folder / fmt::format("data_batch_{}.bin", i);
    // A subset may come as one small file. After a full first file the other four must be there.
    if (i == 2 && set.size() < kFullBatch && !fs::exists(path)) break;
    AppendFile(path, set);
  }
  return set;
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
  data.description = fmt::format("CIFAR-10 (binary version), {}, from {}", Sizes(data), folder.string());
  return data;
}

Dataset LoadSynthetic(const std::string& why) {
  Dataset data = MakeSyntheticDataset();
  data.description = fmt::format("synthetic images ({}), {}", why, Sizes(data));
  return data;
}

}  // namespace

Dataset LoadDataset(const std::string& name, const std::string& root) {
  if (name == "synthetic") return LoadSynthetic("as asked");
  if (name != "cifar10" && name != "auto") {
    throw ConfigError(fmt::format("data.dataset: expected auto, cifar10 or synthetic, found '{}'", name));
  }
  if (const auto folder = FindCifar10(root)) return LoadCifar10(*folder);
  if (name == "auto") return LoadSynthetic(fmt::format("no CIFAR-10 in {}", root));
  Fail(root, fmt::format("expected data_batch_1.bin or a folder {} in it, found neither", kFolder));
}

}  // namespace gradwire::train
