// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "gradwire/scratch.h"

namespace gradwire {
namespace {

/// Fills a stretch so that a later look shows whether anybody else wrote into it.
struct Stretch {
  std::span<uint32_t> words;
  uint32_t mark;

  bool intact() const {
    return std::ranges::all_of(words, [&](uint32_t word) { return word == mark; });
  }
};

Stretch TakeMarked(Scratch& scratch, size_t n, uint32_t mark) {
  const std::span<uint32_t> words = scratch.Take<uint32_t>(n);
  std::ranges::fill(words, mark);
  return {words, mark};
}

/// Takes the sizes in turn, opens a scope of its own for every third one, and looks at all marks on the way back.
void TakeNested(Scratch& scratch, std::span<const size_t> sizes, std::vector<Stretch>& live) {
  if (sizes.empty()) return;
  const Scratch::Scope scope(scratch);
  const size_t here = std::min<size_t>(sizes.size(), 3), before = live.size();
  for (size_t i = 0; i < here; ++i) {
    live.push_back(TakeMarked(scratch, sizes[i], static_cast<uint32_t>(live.size() + 1)));
    RC_ASSERT(reinterpret_cast<uintptr_t>(live.back().words.data()) % 64 == 0);
    RC_ASSERT(live.back().words.size() == sizes[i]);
  }
  TakeNested(scratch, sizes.subspan(here), live);
  for (size_t i = before; i < live.size(); ++i) RC_ASSERT(live[i].intact());
  live.resize(before);
}

RC_GTEST_PROP(Scratch, StretchesOfLiveFramesNeverOverlap, ()) {
  const auto size = rc::gen::oneOf(rc::gen::inRange<size_t>(0, 100), rc::gen::inRange<size_t>(0, 400000));
  const auto sizes = *rc::gen::resize(20, rc::gen::container<std::vector<size_t>>(size));
  Scratch scratch;
  std::vector<Stretch> live;
  TakeNested(scratch, sizes, live);
  TakeNested(scratch, sizes, live);  // memory that was given back is whole
}

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
