// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <torch/nn/module.h>

namespace gradwire::train {

/// A classifier of 32 x 32 images.
class ImageModel : public torch::nn::Module {
 public:
  /// [N, 3, 32, 32] -> logits [N, num_classes].
  virtual torch::Tensor forward(const torch::Tensor& images) = 0;
};

/// Residual networks (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016) with torchvision's names of
/// parameters and buffers:
///   resnet18  4 stages of 2 basic blocks, 64 to 512 channels; the stem for small images is a 3 x 3 convolution of
///             stride 1 without pooling; 11,173,962 parameters for 10 classes
///   resnet20  3 stages of 3 basic blocks, 16 to 64 channels (the paper's section 4.2, with projection shortcuts)
///   resnet8   the same with 1 block per stage
/// Weights are drawn from torch's default generator (torch::manual_seed). Throws ConfigError for another name.
std::shared_ptr<ImageModel> MakeResNet(const std::string& name, int64_t num_classes);

}  // namespace gradwire::train
