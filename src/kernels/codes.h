// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace gradwire::kernels {

/// Packed codes: `symbols` different ones, 2 to 65,536. Three symbols lie in base 3, five to a byte (8/5 bits each),
/// the first in the lowest digit. Others take bit_width(symbols - 1) bits each, from the lowest bit of the first byte
/// on.
struct CodeSpace {
  explicit constexpr CodeSpace(uint32_t symbols)
      : symbols(symbols), width(static_cast<unsigned>(std::bit_width(symbols - 1))) {}
  constexpr bool ternary() const { return symbols == 3; }
  constexpr size_t bytes(size_t n) const { return ternary() ? (n + 4) / 5 : (n * width + 7) / 8; }

  uint32_t symbols;
  unsigned width;
};

inline constexpr uint32_t kPowersOf3[] = {1, 3, 9, 27, 81, 243};

/// Writes codes one after another; Finish writes what is left, unused places as zeros.
class CodeWriter {
 public:
  CodeWriter(CodeSpace space, std::byte* out) : space_(space), out_(out) {}

  void Put(uint32_t code) {
    if (space_.ternary()) {
      held_ += code * kPowersOf3[used_];
      if (++used_ == 5) Emit();
      return;
    }
    held_ |= uint64_t{code} << used_;
    for (used_ += space_.width; used_ >= 8; used_ -= 8, held_ >>= 8) *out_++ = static_cast<std::byte>(held_);
  }

  void Finish() {
    if (used_ > 0) Emit();
  }

 private:
  void Emit() { *out_++ = static_cast<std::byte>(held_), held_ = 0, used_ = 0; }

  CodeSpace space_;
  std::byte* out_;
  uint64_t held_ = 0;
  unsigned used_ = 0;  // digits or bits
};

/// Reads what CodeWriter wrote. Bytes from a peer may hold numbers that are no codes: Next then returns `symbols` or
/// more.
class CodeReader {
 public:
  CodeReader(CodeSpace space, const std::byte* in) : space_(space), in_(in) {}

  uint32_t Next() {
    if (space_.ternary()) {
      if (left_ == 0) held_ = static_cast<uint64_t>(*in_++), left_ = 5, bad_ = held_ >= kPowersOf3[5];
      const auto digit = static_cast<uint32_t>(held_ % 3);
      held_ /= 3, --left_;
      return bad_ ? space_.symbols : digit;
    }
    for (; left_ < space_.width; left_ += 8) held_ |= static_cast<uint64_t>(*in_++) << left_;
    const auto code = static_cast<uint32_t>(held_ & ((uint64_t{1} << space_.width) - 1));
    held_ >>= space_.width, left_ -= space_.width;
    return code;
  }

 private:
  CodeSpace space_;
  const std::byte* in_;
  uint64_t held_ = 0;
  unsigned left_ = 0;  // digits or bits
  bool bad_ = false;
};

}  // namespace gradwire::kernels
