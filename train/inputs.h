// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "train/config.h"

namespace gradwire::train {

/// The path with the home folder in place of a leading ~ or ~/, which no shell has expanded in a file or behind a '='.
/// Stays as it is where the environment has no HOME, and with ~name.
std::string WithHome(std::string path);

/// Throws ConfigError where a file or folder that a run reads is not there, or is not what it should be: before any
/// rank is started, and before anything is written. Saves are the ranks' to judge, since each may have a disk of its
/// own.
void CheckInputs(const Config& config);

}  // namespace gradwire::train
