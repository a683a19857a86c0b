// SPDX-License-Identifier: Apache-2.0
// Sets beside CIFAR-10, from small files of their formats that are written here.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "tests/train/run_folder.h"
#include "train/config/image_sets.h"
#include "train/data/augment.h"
#include "train/data/dataset.h"
#include "train/data/image_files.h"
#include "train/data/synthetic.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ErrorOf(const std::string& name, const std::string& root) {
  try {
    LoadDataset(name, root);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// Overwrites one byte.
void Put(const fs::path& path, size_t at, uint8_t byte) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(byte));
}

/// Record i: coarse label i % 20, fine label `first` + i, every pixel of plane c the fine label + c.
void WriteCifar100(const fs::path& path, size_t records, size_t first) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  for (size_t i = 0; i < records; ++i) {
    file.put(static_cast<char>(i % 20));
    file.put(static_cast<char>(first + i));
    for (size_t c = 0; c < 3; ++c) file << std::string(1024, static_cast<char>(first + i + c));
  }
}

class Cifar100 : public ::testing::Test {
 protected:
  Cifar100() {
    WriteCifar100(folder_ / "train.bin", 4, 96);
    WriteCifar100(folder_ / "test.bin", 2, 0);
  }
  const TempFolder root_{"cifar100"};
  const fs::path folder_ = fs::path(root_.path()) / "cifar-100-binary";
};

TEST_F(Cifar100, TheFineLabelCounts) {
  for (const std::string& root : {root_.path(), folder_.string()}) {
    const Dataset data = LoadDataset("cifar100", root);
    EXPECT_THAT(data.train.labels, ElementsAre(96, 97, 98, 99));
    EXPECT_THAT(data.test.labels, ElementsAre(0, 1));
    EXPECT_EQ(data.train.pixels[kImageBytes + 2 * kPlaneBytes], 99);
    EXPECT_THAT(data.description, AllOf(HasSubstr("CIFAR-100 (binary version), 4 + 2 images"), HasSubstr(root)));
    EXPECT_NEAR(data.train.mean[0], 0.5071, 1e-6);
  }
}

TEST_F(Cifar100, DamageIsNamed) {
  Put(folder_ / "train.bin", 2 * 3074 + 1, 100);
  EXPECT_THAT(ErrorOf("cifar100", root_.path()),
              AllOf(HasSubstr("CIFAR-100: "), HasSubstr("train.bin"),
                    HasSubstr("labels 0 to 99, found 100 in record 2"), HasSubstr("cifar-100-binary.tar.gz")));
  fs::resize_file(folder_ / "test.bin", 3074 + 5);
  EXPECT_THAT(ErrorOf("cifar100", root_.path()),
              AllOf(HasSubstr("test.bin"), HasSubstr("records of 3074 bytes"), HasSubstr("found 3079 bytes")));
  fs::remove(folder_ / "test.bin");
  EXPECT_THAT(MissingIn("cifar100", root_.path()), HasSubstr("test.bin: expected a file of labelled images"));
  EXPECT_THAT(ErrorOf("cifar100", "/nowhere"), HasSubstr("/nowhere, which does not exist; expected a folder with "
                                                         "CIFAR-100's binary version, or data.dataset: synthetic"));
}

std::string BigEndian(uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
}

/// Image i is i + 1 everywhere; its label is i % 10.
void WriteIdx(const fs::path& folder, const std::string& split, uint32_t images, uint32_t labels) {
  fs::create_directories(folder);
  std::ofstream file(folder / (split + "-images-idx3-ubyte"), std::ios::binary);
  file << BigEndian(0x803) << BigEndian(images) << BigEndian(28) << BigEndian(28);
  for (uint32_t i = 0; i < images; ++i) file << std::string(28 * 28, static_cast<char>(i + 1));
  std::ofstream label_file(folder / (split + "-labels-idx1-ubyte"), std::ios::binary);
  label_file << BigEndian(0x801) << BigEndian(labels);
  for (uint32_t i = 0; i < labels; ++i) label_file.put(static_cast<char>(i % 10));
}

class Idx : public ::testing::TestWithParam<std::string> {
 protected:
  Idx() {
    WriteIdx(folder_, "train", 12, 12);
    WriteIdx(folder_, "t10k", 3, 3);
  }
  std::string Error() const { return ErrorOf(GetParam(), root_.path()); }

  const TempFolder root_{"idx"};
  const fs::path folder_ = fs::path(root_.path()) / std::string(FindImageFiles(GetParam())->folder);
  const fs::path images_ = folder_ / "train-images-idx3-ubyte", labels_ = folder_ / "train-labels-idx1-ubyte";
};

TEST_P(Idx, GreyImagesLieAmidBlackOnesThreeTimes) {
  const Dataset data = LoadDataset(GetParam(), root_.path());
  EXPECT_EQ(data.train.size(), 12u);
  EXPECT_THAT(data.test.labels, ElementsAre(0, 1, 2));
  EXPECT_EQ(data.train.labels[11], 1);
  const uint8_t* image = data.train.pixels.data() + 4 * kImageBytes;
  for (size_t c = 0; c < 3; ++c)
    for (size_t y = 0; y < 32; ++y)
      for (size_t x = 0; x < 32; ++x) {
        const bool inside = x >= 2 && x < 30 && y >= 2 && y < 30;
        ASSERT_EQ(image[c * kPlaneBytes + 32 * y + x], inside ? 5 : 0) << c << " " << y << " " << x;
      }
  EXPECT_EQ(data.train.mirrors, GetParam() != "mnist");
}

TEST_P(Idx, DamageIsNamed) {
  const std::string title(FindImageFiles(GetParam())->title);
  Put(labels_, 8 + 7, 10);
  EXPECT_THAT(Error(), AllOf(HasSubstr(title), HasSubstr("train-labels-idx1-ubyte"),
                             HasSubstr("labels 0 to 9, found 10 in record 7"), HasSubstr("gunzip")));
  WriteIdx(folder_, "train", 12, 11);
  EXPECT_THAT(Error(),
              HasSubstr("expected 12 labels, as many as there are images in train-images-idx3-ubyte, found 11"));
  WriteIdx(folder_, "train", 12, 12);
  fs::resize_file(images_, 16 + 12 * 784 - 1);
  EXPECT_THAT(Error(), HasSubstr("expected 9424 bytes for the 12 elements that its header says, found 9423"));
  Put(images_, 11, 27);
  EXPECT_THAT(Error(), HasSubstr("expected images of 28 x 28, found 27 x 28"));
  Put(images_, 3, 1);
  EXPECT_THAT(Error(), HasSubstr("begins with 00000803, found 00000801"));
  fs::resize_file(images_, 10);
  Put(images_, 3, 3);
  EXPECT_THAT(Error(), HasSubstr("expected a header of 16 bytes, found 10"));
  fs::resize_file(images_, 0);
  EXPECT_THAT(Error(), HasSubstr("begins with 00000803, found 0 bytes"));
  std::ofstream(images_, std::ios::binary) << "\x1f\x8b\x08 packed";
  EXPECT_THAT(Error(), HasSubstr("is packed: gunzip it first"));
  fs::remove(images_);
  EXPECT_THAT(Error(), HasSubstr("train-images-idx3-ubyte: expected an IDX file, found none that can be read"));
}

TEST_P(Idx, PackedFilesAloneAreSaid) {
  const TempFolder packed("packed");
  std::ofstream(packed.path() + "/train-images-idx3-ubyte.gz") << "\x1f\x8b";
  EXPECT_THAT(ErrorOf(GetParam(), packed.path()), HasSubstr("which has packed files; gunzip them first"));
}

/// Both sets have files of the same names: what tells them apart is the folder.
TEST_P(Idx, AFolderOfTheOtherSetsNameIsNotThisOne) {
  const std::string other = GetParam() == "mnist" ? "fashion_mnist" : "mnist";
  const fs::path theirs = folder_.parent_path() / std::string(FindImageFiles(other)->folder);
  WriteIdx(theirs, "train", 12, 12);
  WriteIdx(theirs, "t10k", 3, 3);
  EXPECT_EQ(MissingIn(other, theirs.string()), "");
  EXPECT_THAT(MissingIn(GetParam(), theirs.string()), HasSubstr("found " + theirs.string()));
}

INSTANTIATE_TEST_SUITE_P(, Idx, ::testing::Values("mnist", "fashion_mnist"),
                         [](const auto& info) { return info.param; });

TEST(ImageFiles, EverySetOfFilesIsNamedInTheConfigurationWithItsClasses) {
  for (const NamedImages& set : AllNamedImages()) {
    const ImageFiles* files = FindImageFiles(set.name);
    ASSERT_EQ(files == nullptr, set.is_built_in) << set.name;
    if (files != nullptr) {
      EXPECT_EQ(files->classes, set.classes) << set.name;
    }
  }
}

TEST(ImageFiles, PixelsAreNormalisedByTheirSetsConstants) {
  ImageSet set{std::vector<uint8_t>(kImageBytes, 51), {0}};
  set.mean = {0.1f, 0.2f, 0.3f}, set.deviation = {0.5f, 0.25f, 0.1f};
  const uint32_t index = 0;
  std::vector<float> image(kImageBytes);
  FillBatch(set, {&index, 1}, std::nullopt, image);
  EXPECT_NEAR(image[0], 0.2, 1e-6);  // 51 / 255 = 0.2
  EXPECT_NEAR(image[kPlaneBytes], 0, 1e-6);
  EXPECT_NEAR(image[2 * kPlaneBytes], -1, 1e-6);
}

/// Its one bright pixel is on the left of the middle, and a crop moves it by four at most.
TEST(ImageFiles, SetsWhoseImagesAreNotToBeMirroredAreNot) {
  ImageSet set{std::vector<uint8_t>(kImageBytes), {0}};
  set.pixels[16 * kImageSide + 8] = 255;
  const uint32_t index = 0;
  for (const bool mirrors : {true, false}) {
    set.mirrors = mirrors;
    bool mirrored = false;
    for (uint64_t epoch = 0; epoch < 40; ++epoch) {
      std::vector<float> image(kImageBytes);
      FillBatch(set, {&index, 1}, AugmentKey{1, epoch}, image);
      mirrored |= (std::ranges::max_element(image) - image.begin()) % kImageSide > 16;
    }
    EXPECT_EQ(mirrored, mirrors);
  }
}

TEST(Synthetic, StandsInForAHundredClassesAndForGreyImages) {
  const Dataset hundred = MakeSyntheticDataset(0, 200, 100, {.classes = 100});
  for (int label = 0; label < 100; ++label) EXPECT_EQ(std::ranges::count(hundred.train.labels, label), 2);
  const Dataset grey = MakeSyntheticDataset(0, 10, 0, {.grey = true});
  for (size_t i = 0; i < 10; ++i) {
    const uint8_t* image = grey.train.pixels.data() + i * kImageBytes;
    EXPECT_TRUE(std::equal(image, image + kPlaneBytes, image + kPlaneBytes));
    EXPECT_TRUE(std::equal(image, image + kPlaneBytes, image + 2 * kPlaneBytes));
    EXPECT_EQ(image[1], 0);
    EXPECT_EQ(image[31 * 32 + 16], 0);
    EXPECT_GT(*std::max_element(image, image + kPlaneBytes), 40);
  }
  EXPECT_THAT(LoadDataset("synthetic100", "").description, HasSubstr("synthetic images of 100 classes (as asked)"));
  EXPECT_THAT(LoadDataset("synthetic_grey", "").description, HasSubstr("grey synthetic images (as asked)"));
}

/// Images of different decades have grounds of different colours: a corner's mean is near its own decade's.
TEST(Synthetic, TheGroundTellsTheDecadesApart) {
  const Dataset data = MakeSyntheticDataset(0, 1000, 0, {.classes = 100});
  std::array<std::array<double, 3>, 10> means{};
  for (size_t i = 0; i < 1000; ++i)
    for (size_t c = 0; c < 3; ++c)
      means[data.train.labels[i] / 10][c] += data.train.pixels[i * kImageBytes + c * kPlaneBytes + 16] / 100.0;
  for (size_t a = 0; a < 10; ++a)
    for (size_t b = 0; b < a; ++b) {
      double distance = 0;
      for (size_t c = 0; c < 3; ++c) distance += std::pow(means[a][c] - means[b][c], 2);
      EXPECT_GT(std::sqrt(distance), 30) << a << " " << b;
    }
}

}  // namespace
}  // namespace gradwire::train
