// SPDX-License-Identifier: Apache-2.0
#include "gradwire/scratch.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace gradwire {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallestChunk = 1 << 20;

size_t RoundUp(size_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

/// At most an eighth more than `size`, so that buckets of about the same size share buffers; the same for all sizes
/// between two rooms.
size_t RoomFor(size_t size) {
  const size_t step = std::max(kAlignment, std::bit_floor(size) / 8);
  return (size + step - 1) / step * step;
}

}  // namespace

std::byte* Scratch::TakeBytes(size_t n) {
  n = RoundUp(n);
  while (chunk_ < chunks_.size() && used_ + n > chunks_[chunk_].size) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    const size_t size = std::max(n, kSmallestChunk);
    Chunk chunk{std::make_unique_for_overwrite<std::byte[]>(size + kAlignment), nullptr, size};
    const auto address = reinterpret_cast<uintptr_t>(chunk.memory.get());
    chunk.base = chunk.memory.get() + (RoundUp(address) - address);
    chunks_.push_back(std::move(chunk));
    used_ = 0;
  }
  std::byte* taken = chunks_[chunk_].base + used_;
  used_ += n;
  return taken;
}

// Lists of more than the default's 4 KiB are those of some hundred ranks or pieces.
BufferPool::BufferPool()
    : lists_({.max_blocks_per_chunk = 0, .largest_required_pool_block = 1 << 16}), free_(&lists_) {}

Buffer BufferPool::Take(size_t size) {
  taken_ += size;
  const size_t room = RoomFor(size);
  if (const auto found = free_.find(room); found != free_.end()) {
    Buffer buffer = std::move(found->second);
    free_.erase(found);
    buffer.size = size;
    return buffer;
  }
  return {std::make_unique_for_overwrite<std::byte[]>(room), size};
}

void BufferPool::GiveBack(Buffer buffer) {
  if (!buffer) return;
  taken_ -= buffer.size;
  const size_t room = RoomFor(buffer.size);
  free_.emplace(room, std::move(buffer));
}

}  // namespace gradwire
