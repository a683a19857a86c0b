// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradwire {

/// A parameter's name as its plain model has it: without `_orig_mod` (torch.compile) and `_checkpoint_wrapped_module`
/// (activation checkpointing) anywhere, and without `module` (DistributedDataParallel, DataParallel) in front.
std::string CanonicalName(std::string_view name);

/// The canonical name of each; names that would become one and the same stay as they are.
std::vector<std::string> CanonicalNames(const std::vector<std::string>& names);

}  // namespace gradwire
