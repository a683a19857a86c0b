// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include <ATen/core/TensorBody.h>

namespace gradwire::train {

/// The tensors of a checkpoint that Python wrote with torch.save(model.state_dict(), path), by name: a pickle of
/// protocol 2 to 5, of 64 MiB at most, with tuples nested Unpickler::kMostDepth deep at most. Throws Error when the
/// file is no such checkpoint. (libtorch's own pickle_load fails on an OrderedDict, which a state_dict is.)
std::map<std::string, at::Tensor> ReadStateDict(const std::string& path);

}  // namespace gradwire::train
