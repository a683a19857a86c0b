// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "gradwire/element_order.h"

namespace gradwire {

/// One trainable tensor. Its position in the list that an exchange was made with is its id: the key of all state, so
/// that nothing is lost when DDP rebuilds its buckets. Every rank lists the same parameters in the same order.
struct Parameter {
  std::string name;
  std::vector<int64_t> shape;
  ElementOrder order = {};  ///< of its elements in buckets, until Exchange::Arrange says another
  /// A symmetric matrix, of shape {d, d}, whose elements are its upper triangle row by row, those off the diagonal
  /// times sqrt(2): d (d + 1) / 2 of them, whose Euclidean norm is the Frobenius norm of the matrix. It is always one
  /// piece.
  bool symmetric = false;

  size_t numel() const {
    if (symmetric) return static_cast<size_t>(shape[0] * (shape[0] + 1) / 2);
    return static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  }
};

/// One parameter's stretch of a bucket, in elements. A bucket holds whole parameters.
struct Segment {
  uint32_t parameter = 0;  ///< id: index into the exchange's list of parameters
  size_t offset = 0;       ///< first element within the bucket
  size_t numel = 0;
};

}  // namespace gradwire
