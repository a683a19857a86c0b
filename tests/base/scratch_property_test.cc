// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "gradwire/scratch.h"
#include "support/stretch.h"

namespace gradwire {
namespace {

using namespace testing;

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

}  // namespace
}  // namespace gradwire
