// SPDX-License-Identifier: Apache-2.0
// The C++ side of test_weights.py.
//   gradwire_weights_tool save MODEL WEIGHTS LOGITS    a new model, its statistics moved by one batch, to WEIGHTS
//   gradwire_weights_tool load MODEL WEIGHTS LOGITS    WEIGHTS into a new model
// Both write the logits of FixedImages() in evaluation mode to LOGITS, as raw floats.
#include <fstream>
#include <iostream>

#include <ATen/ATen.h>

#include "train/models/resnet.h"
#include "train/models/weights.h"

namespace {

torch::Tensor FixedImages() {  // as in test_weights.py
  return (at::arange(4 * 3 * 32 * 32, at::kFloat) * 0.618f).remainder(4.0f).sub(2.0f).reshape({4, 3, 32, 32});
}

void WriteLogits(gradwire::train::ImageModel& model, const std::string& path) {
  at::NoGradGuard no_grad;
  model.eval();
  const torch::Tensor logits = model.forward(FixedImages()).contiguous();
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(logits.data_ptr()), static_cast<std::streamsize>(logits.nbytes()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const std::string verb = argv[1], weights = argv[3];
  try {
    const auto model = gradwire::train::MakeResNet(argv[2], 10);
    if (verb == "save") {
      model->forward(at::randn({8, 3, 32, 32}));
      gradwire::train::SaveStateDict(*model, weights);
    } else {
      gradwire::train::LoadStateDict(*model, weights);
    }
    WriteLogits(*model, argv[4]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
