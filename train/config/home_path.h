// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace gradwire::train {

/// The path with the home folder in place of a leading ~ or ~/, which no shell has expanded in a file or behind a '='.
/// Stays as it is where the environment has no HOME, and with ~name.
std::string WithHome(std::string path);

}  // namespace gradwire::train
