// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <fstream>
#include <span>

#include <fmt/format.h>

#include "base/text.h"
#include "train/data/image_files.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

constexpr size_t kGreySide = 28, kGreyBytes = kGreySide * kGreySide;
constexpr size_t kMargin = (kImageSide - kGreySide) / 2;

/// The header of an IDX file of bytes: two zeros, 8 for bytes, the number of dimensions; then each, in big-endian.
struct Header {
  uint32_t magic;
  std::vector<uint32_t> sides;  ///< of an element: none of a label

  size_t bytes() const { return 4 * (2 + sides.size()); }
  size_t element() const {
    size_t product = 1;
    for (const uint32_t side : sides) product *= side;
    return product;
  }
};
const Header kImages = {0x00000803, {kGreySide, kGreySide}}, kLabels = {0x00000801, {}};

uint32_t BigEndian(std::span<const uint8_t> bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

/// The words of the header, as many as the file has.
std::vector<uint32_t> Words(const fs::path& path, size_t most) {
  std::ifstream file(path, std::ios::binary);
  std::vector<uint32_t> words;
  std::array<uint8_t, 4> word;
  while (words.size() < most && file.read(reinterpret_cast<char*>(word.data()), 4)) words.push_back(BigEndian(word));
  return words;
}

void CheckPacked(const ImageFiles& files, const fs::path& path) {
  std::string begin(8, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<size_t>(file.gcount()));
  if (const std::string_view unpacker = UnpackerOf(begin); !unpacker.empty())
    Fail(files, path, fmt::format("is packed: {} it first", unpacker));
}

/// How many elements the file has. Throws where it is not one of that header, or has another size than it says.
size_t CountIn(const ImageFiles& files, const fs::path& path, const Header& header) {
  const size_t bytes = SizeOf(files, path, "an IDX file");
  CheckPacked(files, path);
  const std::vector<uint32_t> words = Words(path, 2 + header.sides.size());
  if (words.empty() || words[0] != header.magic)
    Fail(files, path,
         fmt::format("expected an IDX file that begins with {:08x}, found {}", header.magic,
                     words.empty() ? fmt::format("{} bytes", bytes) : fmt::format("{:08x}", words[0])));
  if (words.size() < 2 + header.sides.size())
    Fail(files, path, fmt::format("expected a header of {} bytes, found {}", header.bytes(), bytes));
  if (!std::equal(header.sides.begin(), header.sides.end(), words.begin() + 2))
    Fail(files, path, fmt::format("expected images of {0} x {0}, found {1} x {2}", kGreySide, words[2], words[3]));
  const size_t expected = header.bytes() + words[1] * header.element();
  if (words[1] == 0 || bytes != expected)
    Fail(files, path,
         fmt::format("expected {} bytes for the {} elements that its header says, found {}: truncated, or "
                     "damaged",
                     expected, words[1], bytes));
  return words[1];
}

struct Split {
  fs::path images, labels;
};

Split TrainOf(const fs::path& folder) {
  return {folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"};
}
Split TestOf(const fs::path& folder) { return {folder / "t10k-images-idx3-ubyte", folder / "t10k-labels-idx1-ubyte"}; }

void CheckSplit(const ImageFiles& files, const Split& split) {
  const size_t images = CountIn(files, split.images, kImages), labels = CountIn(files, split.labels, kLabels);
  if (images != labels)
    Fail(files, split.labels,
         fmt::format("expected {} labels, as many as there are images in {}, found {}", images,
                     split.images.filename().string(), labels));
}

/// Amid black pixels, in each of the three planes.
void Place(std::span<const uint8_t> grey, std::span<uint8_t> image) {
  for (size_t c = 0; c < kImageChannels; ++c)
    for (size_t y = 0; y < kGreySide; ++y)
      std::ranges::copy(
          grey.subspan(y * kGreySide, kGreySide),
          image.begin() + static_cast<std::ptrdiff_t>(c * kPlaneBytes + (y + kMargin) * kImageSide + kMargin));
}

ImageSet ReadSplit(const ImageFiles& files, const Split& split) {
  CheckSplit(files, split);
  const std::vector<uint8_t> images = ReadAll(files, split.images), labels = ReadAll(files, split.labels);
  ImageSet set;
  set.labels.assign(labels.begin() + static_cast<std::ptrdiff_t>(kLabels.bytes()), labels.end());
  for (size_t i = 0; i < set.size(); ++i)
    if (set.labels[i] >= files.classes)
      Fail(files, split.labels,
           fmt::format("expected labels 0 to {}, found {} in record {}", files.classes - 1, set.labels[i], i));
  set.pixels.resize(set.size() * kImageBytes);
  for (size_t i = 0; i < set.size(); ++i)
    Place(std::span(images).subspan(kImages.bytes() + i * kGreyBytes, kGreyBytes),
          std::span(set.pixels).subspan(i * kImageBytes, kImageBytes));
  return set;
}

}  // namespace

void CheckIdx(const ImageFiles& files, const fs::path& folder) {
  CheckSplit(files, TrainOf(folder));
  CheckSplit(files, TestOf(folder));
}

Dataset ReadIdx(const ImageFiles& files, const fs::path& folder) {
  Dataset data;
  data.train = ReadSplit(files, TrainOf(folder));
  data.test = ReadSplit(files, TestOf(folder));
  return data;
}

}  // namespace gradwire::train
