// SPDX-License-Identifier: Apache-2.0
#include "train/data/image_files.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCifar10 =
    "\nTo get CIFAR-10's binary version (162 MiB):\n"
    "  curl -L --create-dirs -o data/cifar-10-binary.tar.gz https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz\n"
    "  tar -xzf data/cifar-10-binary.tar.gz -C data\n"
    "(`wget -P data URL` does as well), which data.root=data/cifar-10-batches-bin reads.";
constexpr const char* kCifar100 =
    "\nTo get CIFAR-100's binary version (161 MiB):\n"
    "  curl -L --create-dirs -o data/cifar-100-binary.tar.gz https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz\n"
    "  tar -xzf data/cifar-100-binary.tar.gz -C data\n"
    "which data.root=data reads.";
constexpr const char* kMnist =
    "\nTo get MNIST (11 MiB):\n"
    "  for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do curl -L --create-dirs -o "
    "data/mnist/$f-ubyte.gz https://ossci-datasets.s3.amazonaws.com/mnist/$f-ubyte.gz; done; gunzip data/mnist/*.gz\n"
    "which data.root=data reads.";
constexpr const char* kFashionMnist =
    "\nTo get Fashion-MNIST (30 MiB):\n"
    "  for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do curl -L --create-dirs -o "
    "data/fashion-mnist/$f-ubyte.gz http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/$f-ubyte.gz; done; "
    "gunzip "
    "data/fashion-mnist/*.gz\n"
    "which data.root=data reads.";

/// A grey set's three channels are one.
constexpr std::array<float, kImageChannels> Thrice(float value) { return {value, value, value}; }

}  // namespace

const std::vector<ImageFiles>& AllImageFiles() {
  static const std::vector<ImageFiles> sets = {
      {.name = "cifar10",
       .title = "CIFAR-10",
       .version = "binary version",
       .folder = "cifar-10-batches-bin",
       .mark = "data_batch_1.bin",
       .foreign = {"data_batch_1", "cifar-10-batches-py"},
       .foreign_says = "which has CIFAR-10's Python version, and the binary one is read",
       .how_to_get = kCifar10,
       .classes = 10,
       .mean = kCifar10Mean,
       .deviation = kCifar10Std,
       .mirrors = true,
       .check = CheckCifar10,
       .read = ReadCifar10},
      {.name = "cifar100",
       .title = "CIFAR-100",
       .version = "binary version",
       .folder = "cifar-100-binary",
       .mark = "train.bin",
       .foreign = {"train", "cifar-100-python"},
       .foreign_says = "which has CIFAR-100's Python version, and the binary one is read",
       .how_to_get = kCifar100,
       .classes = 100,
       .mean = {0.5071f, 0.4865f, 0.4409f},
       .deviation = {0.2673f, 0.2564f, 0.2762f},
       .mirrors = true,
       .check = CheckCifar100,
       .read = ReadCifar100},
      {.name = "mnist",
       .title = "MNIST",
       .version = "IDX files",
       .folder = "mnist",
       .mark = "train-images-idx3-ubyte",
       .foreign = {"train-images-idx3-ubyte.gz"},
       .foreign_says = "which has packed files; gunzip them first",
       .how_to_get = kMnist,
       .classes = 10,
       .mean = Thrice(0.1307f),
       .deviation = Thrice(0.3081f),
       .mirrors = false,
       .check = CheckIdx,
       .read = ReadIdx},
      {.name = "fashion_mnist",
       .title = "Fashion-MNIST",
       .version = "IDX files",
       .folder = "fashion-mnist",
       .mark = "train-images-idx3-ubyte",
       .foreign = {"train-images-idx3-ubyte.gz"},
       .foreign_says = "which has packed files; gunzip them first",
       .how_to_get = kFashionMnist,
       .classes = 10,
       .mean = Thrice(0.2860f),
       .deviation = Thrice(0.3530f),
       .mirrors = true,
       .check = CheckIdx,
       .read = ReadIdx},
  };
  return sets;
}

const ImageFiles* FindImageFiles(std::string_view name) {
  const auto found = std::ranges::find(AllImageFiles(), name, &ImageFiles::name);
  return found == AllImageFiles().end() ? nullptr : &*found;
}

void Fail(const ImageFiles& files, const fs::path& path, const std::string& what) {
  throw ConfigError(fmt::format("{}: {}: {}{}", files.title, path.string(), what, files.how_to_get));
}

size_t SizeOf(const ImageFiles& files, const fs::path& path, std::string_view expected) {
  std::error_code failed;
  const auto bytes = fs::file_size(path, failed);
  if (failed || !std::ifstream(path))
    Fail(files, path, fmt::format("expected {}, found none that can be read", expected));
  return bytes;
}

std::vector<uint8_t> ReadAll(const ImageFiles& files, const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> bytes(fs::file_size(path));
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    Fail(files, path, fmt::format("expected {} bytes, could read only {}", bytes.size(), file.gcount()));
  return bytes;
}

}  // namespace gradwire::train
