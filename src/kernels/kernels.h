// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/draws.h"
#include "gradwire/into.h"
#include "kernels/bits.h"
#include "kernels/candidates.h"
#include "kernels/coded.h"
#include "kernels/factors.h"
#include "kernels/kept.h"
#include "kernels/source.h"

// The inner loops of operators and links. kernels.inc lists them; here each is a function of its name, which runs the
// form for this machine's instruction set. Callers choose none: dispatch.cc does, once, and the variable
// GRADWIRE_FORCE_ISA can name one.

namespace gradwire::kernels {

/// Where random rounding may round to, and the factors that find it without a division an element.
template <typename T>
struct Levels {
  uint32_t count;  ///< levels above 0
  T scale;         ///< power of two that elements are multiplied by first, far from the ends of T
  T unit;          ///< between two levels, scaled; of powers of two the norm itself
  T per_unit;      ///< the inverse of the scaled unit; 0 where the norm is
  T back;          ///< 1 / scale
};

/// One payload of signs.
template <typename T>
struct Signs {
  const std::byte* scales;  ///< of each block of kBlock elements, not aligned; or of all of them
  bool one_scale;           ///< of all of them
  const uint8_t* bits;      ///< of minus
  T weight;
};

/// A form of every kernel.
template <typename T>
struct Table {
#define GRADWIRE_KERNEL(name, result, parameters, arguments) result(*name) parameters;
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL
};

struct Isa {
  std::string_view name;
  bool (*runs)();  ///< whether this machine can execute it
  Table<float> f32;
  Table<double> f64;

  template <typename T>
  const Table<T>& table() const {
    if constexpr (std::is_same_v<T, float>)
      return f32;
    else
      return f64;
  }
};

/// What was compiled, the best first; the last one is "scalar", the specification, which runs anywhere.
const std::vector<const Isa*>& Isas();

/// The names of all kernels, in the order of the list.
const std::vector<std::string_view>& Names();

/// Of `forced`, a name, or, where it is empty, the best that this machine runs. Throws ConfigError for a name that is
/// none or that this machine cannot run.
const Isa& IsaFor(std::string_view forced);

/// Makes `isa` the active one, for tests and benchmarks; returns the one before. Not while kernels run.
const Isa& Use(const Isa& isa);

/// What encoders ask for of the next block while they work on one. A second sweep over a block asks for nothing, and
/// the memory would be idle: on Intel's processors both vectors are worth it (a Xeon: signs in 1.32 updates
/// without, 1.16 with). AMD's fetch ahead by themselves, and are held up by it (Zen 4: signs 1.09 without, 1.15 with
/// the gradient, 1.27 with both), but where a sweep `computes`, of two streams one only (dithering: 1.68 updates
/// without, 1.26 with the gradient, 1.57 with both; without a residual 1.58 reads without, 1.76 with).
enum class Fetching { kNothing, kGradient, kAll };
Fetching FetchingOf(bool has_residual, bool computes);

namespace internal {
inline std::atomic<const Isa*> active = nullptr;
const Isa& Choose();  // by GRADWIRE_FORCE_ISA
}  // namespace internal

/// The one whose kernels run. The first call throws ConfigError where GRADWIRE_FORCE_ISA cannot be obeyed.
inline const Isa& ActiveIsa() {
  const Isa* isa = internal::active.load(std::memory_order_relaxed);
  return isa ? *isa : internal::Choose();
}

#define GRADWIRE_KERNEL(name, result, parameters, arguments) \
  template <typename T>                                      \
  inline result name parameters {                            \
    return ActiveIsa().template table<T>().name arguments;   \
  }
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL

}  // namespace gradwire::kernels
