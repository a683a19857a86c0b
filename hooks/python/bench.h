// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/csrc/utils/pybind.h>

namespace gradwire {

/// Defines _C.bench: `gradwire bench` with DDPs, steps and processes of Python's.
void DefineBench(pybind11::module_& m);

}  // namespace gradwire
