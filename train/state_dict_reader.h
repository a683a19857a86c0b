// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include <ATen/core/TensorBody.h>

namespace gradwire::train {

/// The tensors of a checkpoint that Python wrote with torch.save(model.state_dict(), path), by name. libtorch's own
/// pickle_load drops the contents of an OrderedDict, which a state_dict is; hence a reader of ours. It builds tensors and
/// dicts and calls nothing else, whatever the file names. Throws Error when the file is no such checkpoint.
std::map<std::string, at::Tensor> ReadStateDict(const std::string& path);

}  // namespace gradwire::train
