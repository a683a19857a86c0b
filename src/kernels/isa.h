// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernels.h"

namespace gradwire::kernels {

// One file each, scalar.cc and avx2.cc; null where the compiler or the processor's family has none.

extern const Isa* const kScalar;
extern const Isa* const kAvx2;  ///< x86-64 with AVX2 and F16C

}  // namespace gradwire::kernels
