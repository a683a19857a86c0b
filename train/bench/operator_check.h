// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace gradwire::train {

/// The kernels of `isa` that do not write what the scalar ones do, of a few thousand elements, by name.
std::vector<std::string> WrongKernels(const kernels::Isa& isa);

/// What an operator does wrong with the kernels of `isa`, in words; empty where nothing is. Over `numel` elements of a
/// few steps with and without error feedback and a decode of two payloads: payloads, residuals and means must be, byte
/// for byte, what the scalar kernels give, and what is left out must be u - C(u).
std::string WhatIsWrong(const std::string& spec, const kernels::Isa& isa, size_t numel);

}  // namespace gradwire::train
