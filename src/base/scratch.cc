// SPDX-License-Identifier: Apache-2.0
#include "gradwire/scratch.h"

#include <algorithm>
#include <cstdint>

namespace gradwire {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallestChunk = 1 << 20;

size_t RoundUp(size_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

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

Buffer BufferPool::Take(size_t size) {
  const auto found = free_.extract(size);
  if (!found.empty()) return std::move(found.mapped());
  return {std::make_unique_for_overwrite<std::byte[]>(size), size};
}

void BufferPool::GiveBack(Buffer buffer) {
  const size_t size = buffer.size;
  if (buffer) free_.emplace(size, std::move(buffer));
}

}  // namespace gradwire
