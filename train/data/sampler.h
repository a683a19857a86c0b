// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradwire::train {

/// Which images a rank sees, and when. Epoch e is one random permutation, keyed by (seed, e); global batch b is its
/// b-th slice of world_size * batch_size indices, of which rank r takes the r-th part. So the ranks' shares are
/// disjoint, all ranks have the same number of batches (the remainder of an epoch is dropped, another one each time),
/// and a global batch depends on world_size * batch_size alone.
///
/// Holds the permutation of one epoch; not thread-safe.
class Sampler {
 public:
  /// Throws ConfigError when the set is smaller than one global batch.
  Sampler(size_t dataset_size, size_t batch_size, size_t rank, size_t world_size, uint64_t seed);

  size_t BatchesPerEpoch() const { return dataset_size_ / (batch_size_ * world_size_); }

  /// This rank's image indices of `batch` < BatchesPerEpoch(): batch_size of them, valid until the next call.
  std::span<const uint32_t> Batch(uint64_t epoch, size_t batch);

 private:
  void Shuffle(uint64_t epoch);

  size_t dataset_size_, batch_size_, rank_, world_size_;
  uint64_t seed_;
  uint64_t epoch_ = 0;
  std::vector<uint32_t> order_;  // of epoch_; empty before the first batch
};

}  // namespace gradwire::train
