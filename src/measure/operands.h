// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "kernels/kernels.h"

namespace gradwire::testing {

/// Of vectors that begin with a cache line, where any kernel may stream, and that end where their memory does: what
/// reads or writes behind them is seen by AddressSanitizer.
template <typename T>
struct ExactMemory {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};

  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T* memory, size_t) { ::operator delete(memory, kLine); }
  bool operator==(const ExactMemory&) const { return true; }
};

/// Memory for one call of a kernel: vectors of n elements that begin `offset` elements behind an aligned place, and
/// `bytes` bytes, which begin at an odd one. Everything that a kernel writes is in it, so two calls did the same if
/// their memory is.
template <typename T>
class Operands {
 public:
  using Word = typename kernels::Bits<T>::Word;

  Operands(std::span<const T> values, size_t offset, size_t bytes)
      : n_(values.size()),
        offset_(offset),
        u_(offset + n_),
        v_(offset + n_),
        w_(offset + n_),
        words_(n_),
        positions_(n_),
        bytes_(1 + bytes) {
    for (size_t i = 0; i < n_; ++i) {
      u()[i] = values[i];
      v()[i] = values[n_ - 1 - i];
      w()[i] = values[(i + n_ / 3) % n_];
      largest_ = std::max(largest_, std::abs(values[i]));
    }
    if (n_ > 0) std::memcpy(bytes_.data() + 1, values.data(), std::min(bytes, values.size_bytes()));
  }

  size_t n() const { return n_; }
  std::span<T> u() { return std::span(u_).subspan(offset_); }
  std::span<T> v() { return std::span(v_).subspan(offset_); }
  std::span<T> w() { return std::span(w_).subspan(offset_); }
  std::span<const T> cu() { return u(); }
  std::span<const T> cv() { return v(); }
  std::span<Word> words() { return words_; }
  uint32_t* positions() { return positions_.data(); }
  /// The values of u at first, as far as there is room.
  std::span<std::byte> bytes() { return std::span(bytes_).subspan(1); }
  uint8_t* octets() { return reinterpret_cast<uint8_t*>(bytes().data()); }
  /// The largest |u| at first.
  T largest() const { return largest_; }
  /// Keeps what a kernel returned.
  template <typename R>
  void Keep(const R& result) {
    const auto* begin = reinterpret_cast<const std::byte*>(&result);
    results_.insert(results_.end(), begin, begin + sizeof(R));
  }

  bool operator==(const Operands& other) const {
    const auto same = [](const auto& a, const auto& b) {
      return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0);
    };
    return same(u_, other.u_) && same(v_, other.v_) && same(w_, other.w_) && same(words_, other.words_) &&
           same(positions_, other.positions_) && same(bytes_, other.bytes_) && same(results_, other.results_);
  }

 private:
  template <typename E>
  using Vector = std::vector<E, ExactMemory<E>>;

  size_t n_, offset_;
  Vector<T> u_, v_, w_;
  Vector<Word> words_;
  Vector<uint32_t> positions_;
  Vector<std::byte> bytes_;
  std::vector<std::byte> results_;
  T largest_ = 0;
};

}  // namespace gradwire::testing
