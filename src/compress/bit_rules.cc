// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include "gradwire/compressor.h"

namespace gradwire {
namespace {

/// ceil(log2 n), n >= 1.
uint64_t CeilLog2(uint64_t n) { return static_cast<uint64_t>(std::bit_width(n - 1)); }

}  // namespace

uint64_t BitRule::Positions(uint64_t k, uint64_t d) const { return counts_positions && d > 0 ? k * CeilLog2(d) : 0; }

uint64_t BitRule::Count(uint64_t d) const { return counts_positions ? CeilLog2(d + 1) : 0; }

uint64_t BitRule::Levels(uint64_t n, uint64_t nonzero, uint64_t s) const {
  return (counts_zeros ? n : nonzero) * (1 + CeilLog2(counts_zero ? s + 1 : s));
}

const std::vector<BitRule>& BitRules() {
  static const std::vector<BitRule> rules = {
      {.name = "paper", .summary = "numbers of 32 bits, positions, a sign and a level or 0: what most papers count"},
      {.name = "paper64", .summary = "the same with numbers of 64 bits", .width = 64},
      {.name = "ef_sigma_k",
       .summary = "64 bits a kept element, 64 + 2 nnz ternary: Gorbunov et al. 2020, arXiv 2010.12292",
       .width = 64,
       .counts_positions = false,
       .counts_zeros = false},
      {.name = "levels",
       .summary = "no positions, no level for 0, so that a ternary element takes 1 bit: Gorbunov et al. 2021, arXiv "
                  "2102.07845",
       .counts_positions = false,
       .counts_zero = false},
  };
  return rules;
}

const BitRule* FindBitRule(std::string_view name) {
  const auto found = std::ranges::find(BitRules(), name, &BitRule::name);
  return found == BitRules().end() ? nullptr : &*found;
}

uint64_t Compressor::PaperBits(const BitRule&, const Piece&, Dtype, std::span<const std::byte> payload) const {
  return 8 * payload.size();
}

}  // namespace gradwire
