// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "train/config/config.h"

namespace gradwire::train {

/// Throws ConfigError where a file or folder that a run reads is not there, or is not what it should be: before any
/// rank is started, and before anything is written. Saves are the ranks' to judge, since each may have a disk of its
/// own.
void CheckInputs(const Config& config);

}  // namespace gradwire::train
