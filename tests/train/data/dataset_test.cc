// SPDX-License-Identifier: Apache-2.0
#include "train/data/dataset.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "train/config/config.h"
#include "train/data/inputs.h"
#include "train/data/synthetic.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kRecordBytes = 3073;  // CIFAR-10's binary version: 1 label byte, 3 x 1,024 pixel bytes

/// A folder that holds tiny files of CIFAR-10's shape, removed at the end.
class Cifar10Test : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "gradwire_dataset_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { fs::remove_all(root_); }

  /// Record i has label (first + i) % 10 and every pixel of plane c equal to 3 * label + c.
  static void Write(const fs::path& path, size_t records, size_t first = 0) {
    fs::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary);
    for (size_t i = 0; i < records; ++i) {
      const char label = static_cast<char>((first + i) % 10);
      file.put(label);
      for (char c = 0; c < 3; ++c) file << std::string(1024, static_cast<char>(3 * label + c));
    }
  }

  static void WriteAll(const fs::path& folder) {
    for (size_t i = 1; i <= 5; ++i) Write(folder / ("data_batch_" + std::to_string(i) + ".bin"), 2, 2 * (i - 1));
    Write(folder / "test_batch.bin", 3);
  }

  std::string ErrorOf(const std::string& name) const {
    try {
      LoadDataset(name, root_.string());
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  fs::path root_;
};

TEST_F(Cifar10Test, ReadsTheFiveFilesInOrderAndThePlanesAsTheyAre) {
  WriteAll(root_ / "cifar-10-batches-bin");
  const Dataset data = LoadDataset("cifar10", root_.string());
  EXPECT_EQ(data.train.labels, (std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(data.test.labels, (std::vector<uint8_t>{0, 1, 2}));
  ASSERT_EQ(data.train.pixels.size(), 10 * kImageBytes);
  for (size_t i = 0; i < 10; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      const auto plane = data.train.pixels.begin() + static_cast<std::ptrdiff_t>(i * kImageBytes + c * kPlaneBytes);
      EXPECT_EQ(std::count(plane, plane + kPlaneBytes, 3 * i + c), 1024) << "image " << i << " plane " << c;
    }
  }
  EXPECT_THAT(data.description, AllOf(HasSubstr("CIFAR-10"), HasSubstr("10 + 3 images"), HasSubstr(root_.string())));
}

TEST_F(Cifar10Test, TheFolderItselfIsARootToo) {
  WriteAll(root_);
  EXPECT_EQ(LoadDataset("cifar10", root_.string()).train.size(), 10u);
}

TEST_F(Cifar10Test, ASubsetMayComeAsOneSmallFile) {
  Write(root_ / "data_batch_1.bin", 7);
  Write(root_ / "test_batch.bin", 3);
  EXPECT_EQ(LoadDataset("cifar10", root_.string()).train.size(), 7u);
}

TEST_F(Cifar10Test, AFullFirstFileWithoutTheOthersIsAnError) {
  Write(root_ / "data_batch_1.bin", 10'000);
  Write(root_ / "test_batch.bin", 3);
  EXPECT_THAT(ErrorOf("cifar10"), HasSubstr("data_batch_2.bin"));
}

TEST_F(Cifar10Test, AGapInTheFilesIsAnError) {
  WriteAll(root_);
  fs::remove(root_ / "data_batch_4.bin");
  EXPECT_THAT(ErrorOf("cifar10"), HasSubstr("data_batch_4.bin"));
}

TEST_F(Cifar10Test, AMissingFolderSaysWhereAndHowToGetIt) {
  const std::string error = ErrorOf("cifar10");
  EXPECT_THAT(error, HasSubstr(root_.string()));
  EXPECT_THAT(error, HasSubstr("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz\n"));
  EXPECT_THAT(error, HasSubstr("tar -xzf data/cifar-10-binary.tar.gz -C data\n"));
}

TEST_F(Cifar10Test, AMissingTestFileIsNamed) {
  WriteAll(root_);
  fs::remove(root_ / "test_batch.bin");
  EXPECT_THAT(ErrorOf("cifar10"), AllOf(HasSubstr("test_batch.bin"), HasSubstr("tar -xzf")));
}

TEST_F(Cifar10Test, ATruncatedOrEmptyFileSaysTheSizes) {
  WriteAll(root_);
  for (const size_t bytes : {size_t{0}, kRecordBytes - 1, kRecordBytes + 1, 2 * kRecordBytes - 1}) {
    fs::resize_file(root_ / "data_batch_3.bin", bytes);
    EXPECT_THAT(ErrorOf("cifar10"), AllOf(HasSubstr("data_batch_3.bin"), HasSubstr("records of 3073 bytes"),
                                          HasSubstr("found " + std::to_string(bytes) + " bytes"), HasSubstr("tar")));
  }
}

TEST_F(Cifar10Test, ALabelAboveNineSaysTheRecord) {
  WriteAll(root_);
  std::fstream file(root_ / "data_batch_2.bin", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(kRecordBytes);
  file.put(10);
  file.close();
  EXPECT_THAT(ErrorOf("cifar10"), AllOf(HasSubstr("data_batch_2.bin"), HasSubstr("found 10 in record 1")));
}

TEST_F(Cifar10Test, AutoTakesCifar10WhereItIsAndSaysSo) {
  WriteAll(root_ / "cifar-10-batches-bin");
  const Dataset data = LoadDataset("auto", root_.string());
  EXPECT_EQ(data.train.size(), 10u);
  EXPECT_THAT(data.description, HasSubstr("CIFAR-10 (binary version)"));
}

TEST_F(Cifar10Test, AutoTakesTheSyntheticSetInPlaceOfTheDefaultAloneAndSaysWhy) {
  const fs::path before = fs::current_path();
  fs::current_path(root_);  // where there is no data/
  const std::string root = DataConfig{}.root;
  const Dataset data = LoadDataset("auto", root);
  fs::current_path(before);
  EXPECT_EQ(data.description, "synthetic images (no CIFAR-10 in " + root + "), 10,000 + 2,000 images");
  EXPECT_EQ(data.name, "synthetic images, 10,000 + 2,000 images");
}

TEST_F(Cifar10Test, AFolderThatWasAskedForIsNeverReplaced) {
  fs::create_directories(root_ / "empty");
  std::ofstream(root_ / "cifar-10-binary.tar.gz") << "packed";
  fs::create_directories(root_ / "cifar-10-batches-py");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"empty", "which has neither data_batch_1.bin nor cifar-10-batches-bin in it"},
      {"nowhere", "which does not exist"},
      {"cifar-10-binary.tar.gz", "which is no folder"},
      {"", "which has CIFAR-10's Python version, and the binary one is read"}};
  for (const auto& [name, why] : cases)
    for (const char* dataset : {"auto", "cifar10"}) {
      const std::string root = name.empty() ? root_.string() : (root_ / name).string();
      EXPECT_THAT(MissingIn(dataset, root),
                  AllOf(HasSubstr("found " + root + ", " + why), HasSubstr("data.dataset: synthetic")));
      EXPECT_THROW(LoadDataset(dataset, root), ConfigError);
    }
  EXPECT_EQ(MissingIn("synthetic", "nowhere"), "");
}

TEST_F(Cifar10Test, WhatIsMissingIsFoundWithoutReading) {
  WriteAll(root_);
  EXPECT_EQ(MissingIn("auto", root_.string()), "");
  EXPECT_EQ(MissingIn("auto", root_.string() + "/"), "");
  fs::remove(root_ / "data_batch_4.bin");
  EXPECT_THAT(MissingIn("auto", root_.string()), HasSubstr("data_batch_4.bin: expected a file of labelled images"));
}

Config ConfigOf(const std::string& root, int64_t classes) {
  Config config;
  config.data.root = root;
  config.model.num_classes = classes;
  return config;
}

TEST_F(Cifar10Test, LabelsBeyondTheLastLayerAreFoundBeforeTheRun) {
  WriteAll(root_);
  EXPECT_NO_THROW(CheckInputs(ConfigOf(root_.string(), 10)));
  try {
    CheckInputs(ConfigOf(root_.string(), 9));
    ADD_FAILURE();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("model.num_classes: found 9, expected at least 10: the images have labels up to 9"));
  }
  Write(root_ / "small" / "data_batch_1.bin", 2);
  Write(root_ / "small" / "test_batch.bin", 2);
  EXPECT_NO_THROW(CheckInputs(ConfigOf((root_ / "small").string(), 2)));
}

TEST_F(Cifar10Test, AutoNeverHidesADamagedCifar10) {
  WriteAll(root_);
  fs::resize_file(root_ / "data_batch_1.bin", 100);
  EXPECT_THAT(ErrorOf("auto"), HasSubstr("data_batch_1.bin"));
  fs::create_directories(root_ / "cifar-10-batches-bin");
  EXPECT_THAT(ErrorOf("auto"), HasSubstr("cifar-10-batches-bin/data_batch_1.bin"));
  root_ /= "cifar-10-batches-bin";
  EXPECT_THAT(ErrorOf("auto"), HasSubstr("cifar-10-batches-bin/data_batch_1.bin"));
}

TEST_F(Cifar10Test, AnUnknownNameIsAConfigError) { EXPECT_THROW(LoadDataset("imagenet", root_.string()), ConfigError); }

std::vector<uint8_t> FirstImages(const ImageSet& set, size_t count) {
  return {set.pixels.begin(), set.pixels.begin() + static_cast<std::ptrdiff_t>(count * kImageBytes)};
}

TEST(SyntheticTest, AnImageDependsOnSeedSplitAndIndexAlone) {
  const Dataset some = MakeSyntheticDataset(7, 20, 20), more = MakeSyntheticDataset(7, 40, 30);
  EXPECT_EQ(some.train.pixels, FirstImages(more.train, 20));
  EXPECT_EQ(some.test.pixels, FirstImages(more.test, 20));
  EXPECT_NE(some.train.pixels, some.test.pixels);
  EXPECT_NE(some.train.pixels, MakeSyntheticDataset(8, 20, 20).train.pixels);
}

TEST(SyntheticTest, ClassesAreBalanced) {
  const Dataset data = MakeSyntheticDataset(0, 100, 50);
  for (uint8_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(data.train.labels.begin(), data.train.labels.end(), label), 10);
    EXPECT_EQ(std::count(data.test.labels.begin(), data.test.labels.end(), label), 5);
  }
}

// FNV-1a of 50 images, recorded when the set was made. Accuracies of two versions compare only while it holds.
TEST(SyntheticTest, BytesAreTheSameOnEveryMachine) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint8_t byte : MakeSyntheticDataset(0, 50, 0).train.pixels) hash = (hash ^ byte) * 0x100000001b3;
  EXPECT_EQ(hash, 12787319504480077052u);
}

}  // namespace
}  // namespace gradwire::train
