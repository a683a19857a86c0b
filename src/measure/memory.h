// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

namespace gradwire {

/// Floats at a 2 MiB boundary, for which huge pages are asked where the system has them: page tables are not what is
/// measured. Filled with noise, since memory may be faster where lines are zero.
class Floats {
 public:
  explicit Floats(size_t numel);

  std::span<float> span() const { return {memory_.get(), numel_}; }
  std::span<const float> values() const { return span(); }

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::unique_ptr<float, Free> memory_;
  size_t numel_;
};

/// Like the gradient of a network: layers of 131,072 elements, each of its own scale (log-normal), Laplace inside.
/// `shift` begins the same sequence elsewhere, which is cheaper than another one and has no element at the same place.
void FillWithGradient(std::span<float> out, uint64_t seed, size_t shift = 0);

/// Bytes of the largest cache that this process's first core sees; 0 where the system does not say.
size_t LastLevelCacheBytes();
/// Bytes that can be had without swapping; 0 where the system does not say.
size_t AvailableBytes();
/// Bytes of this process's memory that lie in huge pages.
size_t HugePageBytes();

}  // namespace gradwire
