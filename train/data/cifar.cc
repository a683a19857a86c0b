// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "train/data/image_files.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFullBatch = 10'000;  // records in each official file of CIFAR-10

/// A record is so many labels, of which the last counts, and the image.
size_t RecordBytes(size_t labels) { return labels + kImageBytes; }

/// Throws unless the file is there and as large as so many records.
void CheckRecords(const ImageFiles& files, const fs::path& path, size_t labels) {
  const size_t bytes = SizeOf(files, path, "a file of labelled images");
  if (bytes == 0 || bytes % RecordBytes(labels) != 0)
    Fail(files, path,
         fmt::format("expected records of {} bytes ({} and 3 x 32 x 32 pixels), found {} bytes: "
                     "truncated, or not the binary version",
                     RecordBytes(labels), labels == 1 ? "a label" : "two labels", bytes));
}

void AppendFile(const ImageFiles& files, const fs::path& path, size_t labels, ImageSet& set) {
  CheckRecords(files, path, labels);
  const std::vector<uint8_t> bytes = ReadAll(files, path);
  for (size_t at = 0; at < bytes.size(); at += RecordBytes(labels)) {
    const uint8_t label = bytes[at + labels - 1];
    if (label >= files.classes)
      Fail(files, path,
           fmt::format("expected labels 0 to {}, found {} in record {}", files.classes - 1, label,
                       at / RecordBytes(labels)));
    set.labels.push_back(label);
    const auto image = bytes.begin() + static_cast<std::ptrdiff_t>(at + labels);
    set.pixels.insert(set.pixels.end(), image, image + kImageBytes);
  }
}

/// The files of CIFAR-10's training images. A subset may come as one small file; after a full first file the other four
/// must be there.
std::vector<fs::path> TrainingFiles(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (int i = 1; i <= 5; ++i) paths.push_back(folder / fmt::format("data_batch_{}.bin", i));
  std::error_code failed;
  const auto first = fs::file_size(paths[0], failed);
  if (!failed && first < kFullBatch * RecordBytes(1) && !fs::exists(paths[1])) paths.resize(1);
  return paths;
}

}  // namespace

void CheckCifar10(const ImageFiles& files, const fs::path& folder) {
  for (const fs::path& path : TrainingFiles(folder)) CheckRecords(files, path, 1);
  CheckRecords(files, folder / "test_batch.bin", 1);
}

Dataset ReadCifar10(const ImageFiles& files, const fs::path& folder) {
  Dataset data;
  data.train.pixels.reserve(5 * kFullBatch * kImageBytes);
  for (const fs::path& path : TrainingFiles(folder)) AppendFile(files, path, 1, data.train);
  AppendFile(files, folder / "test_batch.bin", 1, data.test);
  return data;
}

void CheckCifar100(const ImageFiles& files, const fs::path& folder) {
  for (const char* name : {"train.bin", "test.bin"}) CheckRecords(files, folder / name, 2);
}

Dataset ReadCifar100(const ImageFiles& files, const fs::path& folder) {
  Dataset data;
  AppendFile(files, folder / "train.bin", 2, data.train);
  AppendFile(files, folder / "test.bin", 2, data.test);
  return data;
}

}  // namespace gradwire::train
