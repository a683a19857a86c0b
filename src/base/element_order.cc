// SPDX-License-Identifier: Apache-2.0
#include "gradwire/element_order.h"

#include <algorithm>

namespace gradwire {
namespace {

/// The dimensions of more than one element, from the outermost in memory to the innermost.
ElementOrder Dimensions(std::span<const int64_t> shape, const ElementOrder& order) {
  if (!order.empty()) return order;
  ElementOrder dimensions;
  for (uint32_t d = 0; d < shape.size(); ++d)
    if (shape[d] > 1) dimensions.push_back(d);
  return dimensions;
}

/// The stride of each dimension, in elements.
std::vector<int64_t> StridesOf(std::span<const int64_t> shape, const ElementOrder& order) {
  std::vector<int64_t> strides(shape.size(), 1);
  const ElementOrder dimensions = Dimensions(shape, order);
  int64_t stride = 1;
  for (size_t i = dimensions.size(); i-- > 0;) {
    strides[dimensions[i]] = stride;
    stride *= shape[dimensions[i]];
  }
  return strides;
}

}  // namespace

ElementOrder OrderOf(std::span<const int64_t> shape, std::span<const int64_t> strides) {
  ElementOrder order = Dimensions(shape, {});
  std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return strides[a] > strides[b]; });
  return std::ranges::is_sorted(order) ? ElementOrder{} : order;
}

std::string TextOf(const ElementOrder& order) {
  if (order.empty()) return "row by row";
  const size_t last = order.size() - 1;
  bool channels_last = last >= 2 && order[0] == 0 && order[last] == 1;
  for (size_t i = 1; i < last; ++i) channels_last = channels_last && order[i] == i + 1;
  if (channels_last) return "channels last";
  std::string text = "dimensions";
  for (const uint32_t dimension : order) text.append(" ").append(std::to_string(dimension));
  return text;
}

template <typename T>
void Rearrange(std::span<const int64_t> shape, const ElementOrder& from, std::span<const T> values,
               const ElementOrder& to, std::span<T> out) {
  const std::vector<int64_t> strides = StridesOf(shape, from);
  const ElementOrder dimensions = Dimensions(shape, to);
  std::vector<int64_t> index(dimensions.size());
  int64_t at = 0;
  for (T& element : out) {
    element = values[static_cast<size_t>(at)];
    for (size_t i = dimensions.size(); i-- > 0;) {
      const int64_t stride = strides[dimensions[i]];
      at += stride;
      if (++index[i] < shape[dimensions[i]]) break;
      at -= stride * index[i];
      index[i] = 0;
    }
  }
}

template void Rearrange(std::span<const int64_t>, const ElementOrder&, std::span<const float>, const ElementOrder&,
                        std::span<float>);
template void Rearrange(std::span<const int64_t>, const ElementOrder&, std::span<const double>, const ElementOrder&,
                        std::span<double>);

}  // namespace gradwire
