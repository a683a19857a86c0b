// SPDX-License-Identifier: Apache-2.0
#include "wire/positions.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "kernels/kernels.h"
#include "kernels/scalar/positions.h"

namespace gradwire {
namespace {

constexpr size_t kWord = 64;

constexpr uint64_t LowMask(unsigned bits) { return (uint64_t{1} << bits) - 1; }

/// The low bits of all rests, side by side, from bit 0 of `out` on.
void WriteLowBits(const PositionCode& code, std::span<const uint32_t> positions, std::byte* out) {
  const uint64_t mask = LowMask(code.low_bits);
  uint64_t held = 0;  // what fills no four bytes yet
  unsigned used = 0;
  for (size_t j = 0; j < positions.size(); ++j) {
    held |= ((positions[j] - j) & mask) << used;
    used += code.low_bits;
    if (used < 32) continue;
    std::memcpy(out, &held, 4);
    out += 4, held >>= 32, used -= 32;
  }
  std::memcpy(out, &held, (used + 7) / 8);
}

/// The string, behind the low bits, with which it may share a byte. All bits behind those are 0 before.
void WriteString(const PositionCode& code, std::span<const uint32_t> positions, std::span<std::byte> out) {
  const size_t begin = code.k * code.low_bits;
  size_t at = begin / kWord;
  uint64_t word = 0;
  const auto put = [&] {
    const auto bytes = out.subspan(at * sizeof(word));
    word |= kernels::scalar::WordAt(bytes, 0);
    std::memcpy(bytes.data(), &word, std::min(sizeof(word), bytes.size()));
  };
  for (size_t j = 0; j < positions.size(); ++j) {
    const size_t bit = begin + ((positions[j] - j) >> code.low_bits) + j;
    if (bit / kWord != at) {
      put();
      at = bit / kWord, word = 0;
    }
    word |= uint64_t{1} << bit % kWord;
  }
  put();
}

/// Throws unless they ascend strictly and end below d.
void CheckPositions(const PositionCode& code, std::span<const uint32_t> positions) {
  uint32_t falls = 0;
  for (size_t j = 1; j < positions.size(); ++j) falls |= static_cast<uint32_t>(positions[j] <= positions[j - 1]);
  if (!falls && (positions.empty() || positions.back() < code.d)) return;
  size_t least = 0;
  for (size_t j = 0; j < positions.size(); least = size_t{positions[j++]} + 1)
    if (const size_t most = code.d - code.k + j; positions[j] < least || positions[j] > most)
      throw PayloadError(fmt::format("position {} is {}, expected {}..{}", j, positions[j], least, most));
}

}  // namespace

/// The number of low bits that gives the fewest bits; of equal ones the smallest.
PositionCode::PositionCode(size_t k, size_t d) : k(k), d(d) {
  if (d > uint64_t{1} << 31)
    throw Error(
        fmt::format("a piece of {} elements, expected at most 2^31 where positions travel: comm.piece: fixed", d));
  const size_t most = d - k;
  size_t fewest = std::numeric_limits<size_t>::max();
  for (unsigned low = 0; low <= static_cast<unsigned>(std::bit_width(most)); ++low) {
    const size_t string = most >> low > 0 ? k + (most >> low) : 0;
    if (k * low + string >= fewest) continue;
    fewest = k * low + string;
    low_bits = low, upper_bits = string;
  }
}

void WritePositions(const PositionCode& code, std::span<const uint32_t> positions, std::span<std::byte> out) {
  std::ranges::fill(out.subspan(code.k * code.low_bits / 8), std::byte{0});
  WriteLowBits(code, positions, out.data());
  if (code.upper_bits > 0) WriteString(code, positions, out);
}

template <typename T>
void ReadPositions(const PositionCode& code, std::span<const std::byte> bytes, std::span<uint32_t> positions) {
  const auto rests = positions.first(code.k);
  if (code.upper_bits == 0)
    std::iota(rests.begin(), rests.end(), uint32_t{0});
  else if (kernels::ReadOnes<T>(bytes, code.k * code.low_bits, code.bits(), code.k, positions.data()) != code.k)
    throw PayloadError(fmt::format("positions with another number of ones than {}", code.k));
  kernels::ReadLowBits<T>(bytes, code.low_bits, rests);
  CheckPositions(code, rests);
  if (const size_t used = code.bits() % 8; used > 0 && bytes.back() >> used != std::byte{0})
    throw PayloadError("positions with unused bits that are not 0");
}

template void ReadPositions<float>(const PositionCode&, std::span<const std::byte>, std::span<uint32_t>);
template void ReadPositions<double>(const PositionCode&, std::span<const std::byte>, std::span<uint32_t>);

}  // namespace gradwire
