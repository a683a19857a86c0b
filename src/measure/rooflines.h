// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace gradwire {

/// What memory allows one core, by passes that do nothing else: reading a vector, copying one and writing one with
/// streaming stores, which do not read what they overwrite, and an update out += v, which is what error feedback would
/// cost if its operator cost nothing.
enum class Roofline { kRead, kCopy, kWrite, kUpdate };

inline constexpr std::array kRooflines = {Roofline::kRead, Roofline::kCopy, Roofline::kWrite, Roofline::kUpdate};

std::string_view NameOf(Roofline roofline);

/// Bytes that it moves for each float32.
size_t BytesAFloat(Roofline roofline);

/// One pass. `v` and `out`: of the same size, from 16 bytes' boundaries on; the last elements beyond a multiple of 16
/// are left out. Where there are no streaming stores (not x86-64), the compiler's. SSE's vectors reach what AVX-512's
/// do: these passes wait for memory.
void Pass(Roofline roofline, std::span<const float> v, std::span<float> out);

}  // namespace gradwire
