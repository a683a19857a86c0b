// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernels.h"

namespace gradwire::kernels {

// Null where the compiler or the processor's family has none.

extern const Isa* const kScalar;  ///< scalar.cc
extern const Isa* const kAvx512;  ///< these: vectors.cc
extern const Isa* const kAvx2;
extern const Isa* const kNeon;

/// What GRADWIRE_FORCE_ISA names now, or the best one where it is not set. Throws ConfigError as IsaFor does, and where
/// it is empty.
const Isa& FromEnvironment();

}  // namespace gradwire::kernels
