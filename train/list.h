// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace gradwire::train {

/// What `gradwire list` prints: the methods and the compressors there are.
std::string ListText();

}  // namespace gradwire::train
