// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "gradwire/parameter.h"

namespace gradwire::train {

/// What `bench advise` is to know of a model.
struct ModelShapes {
  std::vector<Parameter> parameters;
  size_t bytes_an_element = sizeof(float);  ///< of most of its gradients
};

/// Reads the shapes of a .pt file; empty in a program without torch.
using PtReader = std::function<ModelShapes(const std::string& path)>;

/// Of "resnet18", of a number of elements, or of the floating tensors of a .safetensors file (its header alone is read)
/// or a .pt file. Throws ConfigError that begins with --model and says what can be given instead.
ModelShapes ModelShapesOf(const std::string& model, const PtReader& read_pt);

}  // namespace gradwire::train
