// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gradwire {

/// In which order a tensor's elements lie in a vector: its dimensions of more than one element, from the outermost in
/// memory to the innermost. Empty: row by row, as in C. {0, 2, 3, 1} is channels last.
using ElementOrder = std::vector<uint32_t>;

/// The order of a tensor without gaps or overlaps, whose strides are in elements.
ElementOrder OrderOf(std::span<const int64_t> shape, std::span<const int64_t> strides);

/// "row by row", "channels last" or "dimensions 0 2 1".
std::string TextOf(const ElementOrder& order);

/// Copies a tensor's elements, `values` in the order `from`, to `out` in the order `to`; they must not overlap. T is
/// float or double.
template <typename T>
void Rearrange(std::span<const int64_t> shape, const ElementOrder& from, std::span<const T> values,
               const ElementOrder& to, std::span<T> out);

}  // namespace gradwire
