// SPDX-License-Identifier: Apache-2.0
#include "base/symmetric.h"

#include <numbers>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gradwire/error.h"

namespace gradwire {

template <typename T>
void PackSymmetric(size_t d, std::span<const T> matrix, std::span<T> packed) {
  size_t at = 0;
  for (size_t row = 0; row < d; ++row) {
    packed[at++] = matrix[row * d + row];
    for (size_t col = row + 1; col < d; ++col) packed[at++] = std::numbers::sqrt2_v<T> * matrix[row * d + col];
  }
}

template <typename T>
void UnpackSymmetric(size_t d, std::span<const T> packed, std::span<T> matrix) {
  size_t at = 0;
  for (size_t row = 0; row < d; ++row) {
    matrix[row * d + row] = packed[at++];
    for (size_t col = row + 1; col < d; ++col)
      matrix[row * d + col] = matrix[col * d + row] = packed[at++] / std::numbers::sqrt2_v<T>;
  }
}

void CheckSymmetric(const std::vector<Parameter>& parameters) {
  for (const Parameter& parameter : parameters) {
    if (!parameter.symmetric) continue;
    if (parameter.shape.size() != 2 || parameter.shape[0] != parameter.shape[1])
      throw Error(
          fmt::format("parameter {}: {}; expected a square matrix, [d, d]", parameter.name, ShapeText(parameter)));
    if (!parameter.order.empty())
      throw Error(
          fmt::format("parameter {}: {}, with an order of elements of its own ({}); expected none: its upper "
                      "triangle lies row by row",
                      parameter.name, ShapeText(parameter), TextOf(parameter.order)));
  }
}

std::string ShapeText(const Parameter& parameter) {
  return fmt::format("[{}]{}", fmt::join(parameter.shape, ", "), parameter.symmetric ? ", symmetric" : "");
}

#define GRADWIRE_INSTANTIATE(T)                                          \
  template void PackSymmetric(size_t, std::span<const T>, std::span<T>); \
  template void UnpackSymmetric(size_t, std::span<const T>, std::span<T>);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
