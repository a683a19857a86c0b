// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "gradwire/piece.h"
#include "support/shares.h"

namespace gradwire {
namespace {

using testing::Shares;

size_t Sum(const std::vector<size_t>& shares) {
  size_t sum = 0;
  for (const size_t share : shares) sum += share;
  return sum;
}

RC_GTEST_PROP(Piece, PiecesCoverTheParameterWithoutGap, ()) {
  const size_t numel = *rc::gen::inRange<size_t>(1, 1000000);
  size_t covered = 0;
  for (size_t i = 0; i < PieceCount(numel, PieceRule::kFixed); ++i) {
    const Piece piece = PieceAt(numel, PieceRule::kFixed, i);
    RC_ASSERT(piece.index == i && piece.begin == covered && piece.parameter_numel == numel);
    RC_ASSERT(piece.numel == kPieceNumel || (piece.numel > 0 && piece.begin + piece.numel == numel));
    covered += piece.numel;
  }
  RC_ASSERT(covered == numel);
}

// The shares of any k: exactly k in all, but at least one for each piece and at most its elements.
RC_GTEST_PROP(Piece, SharesAddUp, ()) {
  const size_t numel = *rc::gen::oneOf(rc::gen::inRange<size_t>(1, 600000), rc::gen::inRange<size_t>(65530, 65545),
                                       rc::gen::inRange<size_t>(131070, 131080));
  const size_t k = *rc::gen::oneOf(rc::gen::inRange<size_t>(1, numel + 100), rc::gen::inRange<size_t>(1, 200));
  const std::vector<size_t> shares = Shares(k, numel);
  RC_ASSERT(Sum(shares) == std::max(std::min(k, numel), shares.size()));
  for (size_t i = 0; i < shares.size(); ++i)
    RC_ASSERT(shares[i] >= 1 && shares[i] <= PieceAt(numel, PieceRule::kFixed, i).numel);
}

// Largest remainder: every share is its quota k * size / numel rounded down or up, and what was rounded up had no
// smaller remainder than what was rounded down (of equal ones the first).
RC_GTEST_PROP(Piece, SharesAreByLargestRemainder, ()) {
  const size_t numel = *rc::gen::inRange<size_t>(65537, 600000);
  const size_t pieces = PieceCount(numel, PieceRule::kFixed), k = *rc::gen::inRange<size_t>(pieces, numel);
  std::vector<std::pair<size_t, size_t>> order;  // (numel - remainder, index)
  std::vector<size_t> wanted;
  for (size_t i = 0; i < pieces; ++i) {
    const size_t product = k * PieceAt(numel, PieceRule::kFixed, i).numel;
    wanted.push_back(product / numel);
    order.emplace_back(numel - product % numel, i);
  }
  RC_PRE(wanted.back() > 0);  // else the last piece comes first: LastPieceOfFewElementsStillGetsOne
  std::ranges::sort(order);
  const size_t left = k - Sum(wanted);
  for (size_t j = 0; j < left; ++j) ++wanted[order[j].second];
  RC_ASSERT(Shares(k, numel) == wanted);
}

}  // namespace
}  // namespace gradwire
