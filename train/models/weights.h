// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace torch::nn {
class Module;
}

namespace gradwire::train {

/// Writes the module's parameters and buffers to `path` so that Python's torch.load(path, weights_only=True) gives them
/// as a plain dict {name: tensor}, in the order of Python's own state_dict(). The file appears whole or not at all: it
/// is written beside `path` and renamed. Throws Error when it cannot be written.
void SaveStateDict(const torch::nn::Module& module, const std::string& path);

/// Copies the tensors of a file written by SaveStateDict or by Python's torch.save(model.state_dict(), path) into the
/// module. Names may have what wrappers put in (see CanonicalName), and batch norm's num_batches_tracked may be
/// missing, which is then 0. Throws Error when the file is no such file, or when names or shapes differ from the
/// module's; the module is then left as it was.
void LoadStateDict(torch::nn::Module& module, const std::string& path);

}  // namespace gradwire::train
