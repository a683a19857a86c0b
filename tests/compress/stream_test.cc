// SPDX-License-Identifier: Apache-2.0
#include "compress/stream.h"

#include <set>

#include <gtest/gtest.h>

#include "support/measured_laws.h"

namespace gradwire {
namespace {

using namespace testing;

/// A site and all that differ from it in one field, in its low or its high bits.
std::vector<Site> Neighbours() {
  const Site site = SiteOf(Piece::Whole(10));
  std::vector<Site> all(12, site);
  all[1].seed ^= 1, all[2].seed ^= uint64_t{1} << 63, all[3].purpose = Purpose::kSample, all[4].worker ^= 1;
  all[5].worker ^= 1u << 31, all[6].step ^= 1, all[7].step ^= uint64_t{1} << 63, all[8].parameter ^= 1;
  all[9].parameter ^= 1u << 31, all[10].piece.index ^= 1, all[11].part ^= 1;
  return all;
}

TEST(Stream, NoTwoSitesShareOne) {
  std::set<uint32_t> seen;
  size_t drawn = 0;
  const auto draw = [&](Philox random) {
    for (int i = 0; i < 64; ++i) seen.insert(random.Next()), ++drawn;
  };
  for (const Site& site : Neighbours()) draw(StreamOf(site));
  draw(CommonStreamOf(Neighbours()[0]));
  EXPECT_LE(drawn - seen.size(), 1u) << "832 words of 32 bits: 0.00008 chance collisions are expected";
}

TEST(Stream, IsTheDocumentedOne) {  // src/wire/FORMAT.md: payload bytes depend on it
  Philox random = StreamOf({1, Purpose::kCompress, 2, 3, 4, {5, 0, 10, 20}, 6});
  Philox names(1, Purpose::kCompress, 2 | uint64_t{6} << 32, 4 | uint64_t{5} << 32);
  uint64_t w[4];
  for (uint64_t& word : w) word = names.Next();
  Philox wanted(w[0] | w[1] << 32, Purpose::kCompress, w[2], 3 ^ w[3] << 32);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(random.Next(), wanted.Next());
}

TEST(Stream, CommonOneIsTheSameForAllWorkers) {
  Site site = SiteOf(Piece::Whole(10)), other = site;
  other.worker = 7;
  EXPECT_EQ(CommonStreamOf(site).Next(), CommonStreamOf(other).Next());
}

}  // namespace
}  // namespace gradwire
