// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernels.h"

namespace gradwire::kernels {

// One file each, scalar.cc and avx2.cc; null where the compiler or the processor's family has none.

extern const Isa* const kScalar;
extern const Isa* const kAvx2;  ///< x86-64 with AVX2 and F16C

/// What GRADWIRE_FORCE_ISA names now, or the best one where it is not set. Throws ConfigError as IsaFor does, and where
/// it is empty.
const Isa& FromEnvironment();

}  // namespace gradwire::kernels
