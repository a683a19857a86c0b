// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <torch/nn/module.h>

namespace gradwire::train {

/// A module's buffers (batch norm's statistics) are after this as they were before it, whatever passes were made.
class BuffersStay {
 public:
  /// `module` outlives this.
  explicit BuffersStay(const torch::nn::Module& module) : module_(module) {
    for (const at::Tensor& buffer : module.buffers()) before_.push_back(buffer.detach().clone());
  }
  ~BuffersStay() {
    const std::vector<at::Tensor> moved = module_.buffers();
    for (size_t i = 0; i < before_.size(); ++i) moved[i].detach().copy_(before_[i]);
  }
  BuffersStay(const BuffersStay&) = delete;

 private:
  const torch::nn::Module& module_;
  std::vector<at::Tensor> before_;
};

}  // namespace gradwire::train
