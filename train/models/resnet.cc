// SPDX-License-Identifier: Apache-2.0
#include "train/models/resnet.h"

#include <utility>
#include <vector>

#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

namespace nn = torch::nn;

nn::Conv2d Convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)). Members are registered in the order that torchvision uses.
class BasicBlock : public nn::Module {
 public:
  BasicBlock(int64_t in, int64_t out, int64_t stride)
      : conv1_(register_module("conv1", Convolution(in, out, 3, stride))),
        bn1_(register_module("bn1", nn::BatchNorm2d(out))),
        conv2_(register_module("conv2", Convolution(out, out, 3, 1))),
        bn2_(register_module("bn2", nn::BatchNorm2d(out))) {
    if (stride != 1 || in != out) {
      downsample_ =
          register_module("downsample", nn::Sequential(Convolution(in, out, 1, stride), nn::BatchNorm2d(out)));
    }
  }

  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor y = bn2_(conv2_(bn1_(conv1_(x)).relu_()));
    return (y + (downsample_.is_empty() ? x : downsample_->forward(x))).relu_();
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  nn::Conv2d conv2_;
  nn::BatchNorm2d bn2_;
  nn::Sequential downsample_{nullptr};
};

class ResNet : public ImageModel {
 public:
  ResNet(const std::vector<int64_t>& stage_channels, int blocks_per_stage, int64_t num_classes)
      : conv1_(register_module("conv1", Convolution(3, stage_channels.front(), 3, 1))),
        bn1_(register_module("bn1", nn::BatchNorm2d(stage_channels.front()))) {
    int64_t in = stage_channels.front();
    for (size_t i = 0; i < stage_channels.size(); ++i) {
      nn::Sequential stage;
      for (int block = 0; block < blocks_per_stage; ++block) {
        const bool shrinks = i > 0 && block == 0;
        stage->push_back(std::make_shared<BasicBlock>(in, stage_channels[i], shrinks ? 2 : 1));
        in = stage_channels[i];
      }
      stages_.push_back(register_module("layer" + std::to_string(i + 1), std::move(stage)));
    }
    fc_ = register_module("fc", nn::Linear(in, num_classes));
    for (const auto& module : modules(/*include_self=*/false)) {
      if (const auto* conv = module->as<nn::Conv2d>()) {
        nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
      }
    }
  }

  torch::Tensor forward(const torch::Tensor& images) override {
    torch::Tensor x = bn1_(conv1_(images)).relu_();
    for (nn::Sequential& stage : stages_) x = stage->forward(x);
    return fc_(x.mean({2, 3}));
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  std::vector<nn::Sequential> stages_;
  nn::Linear fc_{nullptr};
};

}  // namespace

std::shared_ptr<ImageModel> MakeResNet(const std::string& name, int64_t num_classes) {
  const std::vector<int64_t> narrow = {16, 32, 64};
  if (name == "resnet8") return std::make_shared<ResNet>(narrow, 1, num_classes);
  if (name == "resnet20") return std::make_shared<ResNet>(narrow, 3, num_classes);
  if (name == "resnet18") return std::make_shared<ResNet>(std::vector<int64_t>{64, 128, 256, 512}, 2, num_classes);
  throw ConfigError("model.name", "expected resnet18, resnet20 or resnet8, found '" + name + "'");
}

}  // namespace gradwire::train
