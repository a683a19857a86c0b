// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "gradwire/piece.h"

namespace gradwire::testing {

/// What each fixed piece of a parameter gets of k elements.
inline std::vector<size_t> Shares(size_t k, size_t numel) {
  std::vector<size_t> shares;
  for (size_t i = 0; i < PieceCount(numel, PieceRule::kFixed); ++i)
    shares.push_back(ShareOf(k, PieceAt(numel, PieceRule::kFixed, i)));
  return shares;
}

}  // namespace gradwire::testing
