// SPDX-License-Identifier: Apache-2.0
#include "train/models/resnet.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

int64_t ParameterCount(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

// 11,173,962 is torchvision's resnet18(num_classes=10), 11,181,642, less 64 * 3 * (49 - 9) weights: its stem is 7 x 7.
// The paper's resnet20 has 0.27 M and no weights in its shortcuts; the projections add 2,752.
TEST(ResNetTest, ParameterCounts) {
  EXPECT_EQ(ParameterCount(*MakeResNet("resnet18", 10)), 11'173'962);
  EXPECT_EQ(ParameterCount(*MakeResNet("resnet20", 10)), 272'474);
  EXPECT_EQ(ParameterCount(*MakeResNet("resnet8", 10)), 78'042);
  EXPECT_EQ(ParameterCount(*MakeResNet("resnet8", 100)), 78'042 + 90 * 65);
}

TEST(ResNetTest, ParametersAndBuffersHaveTorchvisionsNames) {
  const auto model = MakeResNet("resnet8", 10);
  std::vector<std::string> parameters, buffers;
  for (const auto& item : model->named_parameters()) parameters.push_back(item.key());
  for (const auto& item : model->named_buffers()) buffers.push_back(item.key());
  EXPECT_EQ(parameters, (std::vector<std::string>{"conv1.weight",
                                                  "bn1.weight",
                                                  "bn1.bias",
                                                  "layer1.0.conv1.weight",
                                                  "layer1.0.bn1.weight",
                                                  "layer1.0.bn1.bias",
                                                  "layer1.0.conv2.weight",
                                                  "layer1.0.bn2.weight",
                                                  "layer1.0.bn2.bias",
                                                  "layer2.0.conv1.weight",
                                                  "layer2.0.bn1.weight",
                                                  "layer2.0.bn1.bias",
                                                  "layer2.0.conv2.weight",
                                                  "layer2.0.bn2.weight",
                                                  "layer2.0.bn2.bias",
                                                  "layer2.0.downsample.0.weight",
                                                  "layer2.0.downsample.1.weight",
                                                  "layer2.0.downsample.1.bias",
                                                  "layer3.0.conv1.weight",
                                                  "layer3.0.bn1.weight",
                                                  "layer3.0.bn1.bias",
                                                  "layer3.0.conv2.weight",
                                                  "layer3.0.bn2.weight",
                                                  "layer3.0.bn2.bias",
                                                  "layer3.0.downsample.0.weight",
                                                  "layer3.0.downsample.1.weight",
                                                  "layer3.0.downsample.1.bias",
                                                  "fc.weight",
                                                  "fc.bias"}));
  EXPECT_EQ(buffers.size(), 27u);  // running_mean, running_var, num_batches_tracked of 9 batch norms
  EXPECT_THAT(buffers, ::testing::Contains("layer2.0.downsample.1.num_batches_tracked"));
}

TEST(ResNetTest, ForwardGivesLogitsAndGradientsForEveryParameter) {
  for (const char* name : {"resnet18", "resnet20", "resnet8"}) {
    const auto model = MakeResNet(name, 7);
    const torch::Tensor logits = model->forward(at::randn({2, 3, 32, 32}));
    EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{2, 7}));
    logits.square().sum().backward();
    for (const auto& item : model->named_parameters()) EXPECT_TRUE(item.value().grad().defined()) << item.key();
  }
}

// He normal for ReLU over the fan out: deviation sqrt(2 / (output channels * 3 * 3)). The layer has 32 inputs and 64
// outputs; its 18,432 draws put the sample's own deviation at 0.5 %.
TEST(ResNetTest, ConvolutionsStartAsHeNormal) {
  at::manual_seed(1);
  const auto model = MakeResNet("resnet20", 10);
  const auto parameters = model->named_parameters();
  const double deviation = parameters["layer3.0.conv1.weight"].std().item<double>();
  EXPECT_NEAR(deviation / std::sqrt(2.0 / (64 * 9)), 1, 0.02);
  EXPECT_TRUE(parameters["layer3.1.bn1.weight"].eq(1).all().item<bool>());
  EXPECT_TRUE(parameters["layer3.1.bn1.bias"].eq(0).all().item<bool>());
}

TEST(ResNetTest, TheSameSeedGivesTheSameWeights) {
  at::manual_seed(3);
  const auto a = MakeResNet("resnet8", 10)->parameters();
  at::manual_seed(3);
  const auto b = MakeResNet("resnet8", 10)->parameters();
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].equal(b[i]));
}

TEST(ResNetTest, AnUnknownNameIsAConfigError) { EXPECT_THROW(MakeResNet("resnet19", 10), ConfigError); }

}  // namespace
}  // namespace gradwire::train
