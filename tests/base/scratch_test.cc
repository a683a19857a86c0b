// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "gradwire/scratch.h"
#include "support/stretch.h"

namespace gradwire {
namespace {

using namespace testing;

TEST(Scratch, MemoryIsReusedAfterAFrame) {
  Scratch scratch;
  const auto take = [&] {
    const Scratch::Scope scope(scratch);
    return std::pair(scratch.Take<double>(100000).data(), scratch.Take<std::byte>(3 << 20).data());
  };
  const auto first = take();
  EXPECT_EQ(take(), first);
}

TEST(Scratch, AnInnerFrameLeavesTheOuterOnesMemory) {
  Scratch scratch;
  const Scratch::Scope outer(scratch);
  const Stretch kept = TakeMarked(scratch, 1000, 1);
  for (int i = 0; i < 3; ++i) {
    const Scratch::Scope inner(scratch);
    TakeMarked(scratch, 1 << 20, 2);
  }
  const Stretch after = TakeMarked(scratch, 1000, 3);
  EXPECT_TRUE(kept.intact());
  EXPECT_TRUE(after.intact());
}

TEST(BufferPool, BuffersOfAboutTheSameSizeAreShared) {
  BufferPool pool;
  for (size_t size = 1; size < 100000; size += size / 7 + 1) {
    pool.Clear();
    Buffer buffer = pool.Take(size);
    EXPECT_EQ(buffer.bytes().size(), size);
    EXPECT_EQ(pool.taken(), size);
    const std::byte* const memory = buffer.memory.get();
    const size_t other = size + size / 16;
    pool.GiveBack(std::move(buffer));
    EXPECT_EQ(pool.taken(), 0u);
    Buffer again = pool.Take(size);
    EXPECT_EQ(again.memory.get(), memory);
    Buffer beside = pool.Take(other);
    std::ranges::fill(beside.bytes(), std::byte{1});  // whole, as a sanitizer sees
    EXPECT_EQ(pool.taken(), size + other);
    pool.GiveBack(std::move(again)), pool.GiveBack(std::move(beside));
  }
}

}  // namespace
}  // namespace gradwire
