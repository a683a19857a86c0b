// SPDX-License-Identifier: Apache-2.0
#include "train/models/weights.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "train/models/resnet.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<torch::Tensor> Tensors(const torch::nn::Module& module) {
  std::vector<torch::Tensor> all;
  for (const auto& tensor : module.parameters()) all.push_back(tensor.detach().clone());
  for (const auto& tensor : module.buffers()) all.push_back(tensor.clone());
  return all;
}

void ExpectEqual(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].equal(b[i])) << "tensor " << i;
}

class WeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "gradwire_weights_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = (folder_ / "weights.pt").string();
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string LoadError(torch::nn::Module& module) const {
    try {
      LoadStateDict(module, path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  fs::path folder_;
  std::string path_;
};

TEST_F(WeightsTest, WhatWasSavedIsLoadedBitForBit) {
  const auto saved = MakeResNet("resnet8", 10), loaded = MakeResNet("resnet8", 10);
  saved->forward(at::randn({4, 3, 32, 32}));  // moves the running statistics and num_batches_tracked
  SaveStateDict(*saved, path_);
  LoadStateDict(*loaded, path_);
  ExpectEqual(Tensors(*saved), Tensors(*loaded));
  EXPECT_EQ(loaded->named_buffers()["bn1.num_batches_tracked"].item<int64_t>(), 1);
}

TEST_F(WeightsTest, SavingReplacesTheFileAndLeavesNothingElse) {
  const auto first = MakeResNet("resnet8", 10), second = MakeResNet("resnet8", 10);
  SaveStateDict(*first, path_);
  SaveStateDict(*second, path_);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
  LoadStateDict(*first, path_);
  ExpectEqual(Tensors(*first), Tensors(*second));
}

TEST_F(WeightsTest, SavingWhereNothingCanBeWrittenSaysWhere) {
  const std::string path = (folder_ / "nowhere" / "weights.pt").string();
  try {
    SaveStateDict(*MakeResNet("resnet8", 10), path);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(path));
  }
}

TEST_F(WeightsTest, SavingOverAFolderLeavesNoTemporaryFile) {
  fs::create_directories(path_ + "/something");
  EXPECT_THROW(SaveStateDict(*MakeResNet("resnet8", 10), path_), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(WeightsTest, AMissingFileIsNamed) {
  const auto model = MakeResNet("resnet8", 10);
  EXPECT_THAT(LoadError(*model), AllOf(HasSubstr(path_), HasSubstr("no such file")));
}

TEST_F(WeightsTest, AnotherModelsNamesAreListedAtMostFiveOfAKindAndTheModelIsLeftAlone) {
  SaveStateDict(*MakeResNet("resnet8", 10), path_);
  const auto model = MakeResNet("resnet20", 10);
  const auto before = Tensors(*model);
  const std::string error = LoadError(*model);
  // A resnet20 has 6 blocks more, of 2 weights, 4 batch norm parameters and 6 buffers each; 2 of these may be missing.
  EXPECT_THAT(error, HasSubstr("missing in the file: layer1.1.conv1.weight, "));
  EXPECT_THAT(error, HasSubstr(" and 55 more"));
  EXPECT_THAT(error, Not(HasSubstr("unknown")));
  ExpectEqual(Tensors(*model), before);

  SaveStateDict(*model, path_);
  const auto small = MakeResNet("resnet8", 10);
  EXPECT_THAT(LoadError(*small), AllOf(HasSubstr("unknown to the model: "), HasSubstr("layer1.1.bn1.bias"),
                                       HasSubstr(" and 67 more"), Not(HasSubstr("missing"))));
}

TEST_F(WeightsTest, AWrongShapeIsNamedWithBoth) {
  SaveStateDict(*MakeResNet("resnet8", 10), path_);
  const auto model = MakeResNet("resnet8", 100);
  const auto before = Tensors(*model);
  EXPECT_THAT(LoadError(*model), AllOf(HasSubstr("fc.weight (expected [100, 64], found [10, 64])"),
                                       HasSubstr("fc.bias (expected [100], found [10])"), Not(HasSubstr("conv1"))));
  ExpectEqual(Tensors(*model), before);
}

TEST_F(WeightsTest, AFileOfAnotherKindIsRefused) {
  std::ofstream(path_) << "run:\n  seed: 1\n";
  const auto model = MakeResNet("resnet8", 10);
  EXPECT_THAT(LoadError(*model), AllOf(HasSubstr(path_), HasSubstr("torch.save(model.state_dict(), path)")));
}

TEST_F(WeightsTest, AFileCutShortAnywhereIsRefused) {
  const auto model = MakeResNet("resnet8", 10);
  SaveStateDict(*model, path_);
  std::ifstream in(path_, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  in.close();
  for (size_t at = 0; at < good.size(); at += 1 + good.size() / 200) {
    std::ofstream(path_, std::ios::binary) << good.substr(0, at);
    EXPECT_THAT(LoadError(*model), HasSubstr(path_)) << "cut to " << at << " bytes";
  }
}

}  // namespace
}  // namespace gradwire::train
