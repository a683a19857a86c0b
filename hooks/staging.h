// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

namespace gradwire {

/// A gradient bucket as contiguous T in host memory, divided by a scale. T is float or double.
///
/// Where the bucket is that already, values() are the bucket's own memory and nothing is copied. Otherwise they are a
/// copy: of another floating dtype, or through pinned memory from another device.
template <typename T>
class Staging {
 public:
  /// `bucket`: 1-D, contiguous, floating. `memory`: what `memory()` of an earlier staging of as many elements gave, or
  /// undefined. Starts the copy from another device on its current stream. Throws Error for what is not a float.
  Staging(at::Tensor bucket, double scale, at::Tensor memory);

  std::span<T> values() const;
  at::Tensor memory() const { return memory_; }

  /// Waits for the copy, converts and scales. On the thread that then reads the values.
  void Fetch();
  /// The values times the scale go back into the bucket. On another device: on the current stream, without waiting.
  void Return();

 private:
  bool is_direct() const { return memory_.is_same(bucket_); }

  at::Tensor bucket_, memory_;
  double scale_;
  std::optional<c10::Event> copied_;
};

}  // namespace gradwire
