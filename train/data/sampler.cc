// SPDX-License-Identifier: Apache-2.0
#include "train/data/sampler.h"

#include <cassert>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/philox.h"
#include "gradwire/error.h"

namespace gradwire::train {

Sampler::Sampler(size_t dataset_size, size_t batch_size, size_t rank, size_t world_size, uint64_t seed)
    : dataset_size_(dataset_size), batch_size_(batch_size), rank_(rank), world_size_(world_size), seed_(seed) {
  assert(batch_size > 0 && rank < world_size);
  if (BatchesPerEpoch() == 0) {
    throw ConfigError("data.batch_size", fmt::format("{} ranks x {} images need a set of at least {}, found {}; use a "
                                                     "smaller batch or fewer ranks",
                                                     world_size, batch_size, world_size * batch_size, dataset_size));
  }
}

std::span<const uint32_t> Sampler::Batch(uint64_t epoch, size_t batch) {
  assert(batch < BatchesPerEpoch());
  if (order_.empty() || epoch != epoch_) Shuffle(epoch);
  return std::span<const uint32_t>(order_).subspan((batch * world_size_ + rank_) * batch_size_, batch_size_);
}

// Fisher-Yates, from the sorted order each time: an epoch's order must not depend on the epochs before it.
void Sampler::Shuffle(uint64_t epoch) {
  order_.resize(dataset_size_);
  std::iota(order_.begin(), order_.end(), 0u);
  Philox rng(seed_, Purpose::kShuffle, epoch);
  for (size_t left = dataset_size_; left > 1; --left) {
    std::swap(order_[left - 1], order_[rng.Below(static_cast<uint32_t>(left))]);
  }
  epoch_ = epoch;
}

}  // namespace gradwire::train
