// SPDX-License-Identifier: Apache-2.0
#pragma once

// Encoders of the operators that round at random, written from src/wire/FORMAT.md alone: what they write must be the
// product's payloads, byte for byte.

#include <limits>

#include "wire/format_operators.h"

namespace gradwire::format {

/// The document's order of additions.
template <typename S>
S Sum(const std::vector<S>& terms) {
  std::vector<S> sums;
  for (size_t first = 0; first < terms.size(); first += 1024) {
    S lanes[64] = {};
    for (size_t j = 0; j < 1024 && first + j < terms.size(); ++j) lanes[j % 64] += terms[first + j];
    for (size_t h = 32; h > 0; h /= 2)
      for (size_t j = 0; j < h; ++j) lanes[j] += lanes[j + h];
    sums.push_back(lanes[0]);
  }
  return sums.empty() ? S(0) : sums.size() == 1 ? sums[0] : Sum(sums);
}

/// The P-norm.
template <typename T>
T NormOf(const std::vector<T>& u, const std::string& p) {
  T m = 0;
  for (const T x : u) m = std::max(m, std::abs(x));
  if (m == 0 || p == "inf") return m;
  const int far = sizeof(T) == 4 ? 40 : 400, last = sizeof(T) == 4 ? 126 : 1022;
  const bool ordinary = m >= std::ldexp(T(1), -far) && m <= std::ldexp(T(1), far);
  const T c = ordinary ? 1 : std::ldexp(T(1), -std::clamp(std::ilogb(m), -last, last));
  std::vector<T> terms;
  for (const T x : u) {
    const T y = c * std::abs(x);
    terms.push_back(p == "2" ? y * y : y);
  }
  const T r = (p == "1" ? Sum(terms) : std::sqrt(Sum(terms))) / c;
  return std::max(std::isinf(r) ? std::numeric_limits<T>::max() : r, m);
}

template <typename V>
void Write(Message& message, V value) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
  message.insert(message.end(), bytes, bytes + sizeof(V));
}

/// `width` bits of each code from bit `lowest` on.
inline void WriteFields(Message& message, const std::vector<uint32_t>& codes, size_t width, size_t lowest = 0) {
  const size_t begin = message.size(), n = codes.size(), group = 128 / width;
  message.resize(begin + (n * width + 7) / 8);
  for (size_t i = 0; i < n; ++i) {
    const size_t first = i / group * group, J = (std::min(group, n - first) * width + 7) / 8;
    const size_t byte = width == 1 ? i / 8 : first * width / 8 + (i - first) % J;
    const size_t bit = width == 1 ? i % 8 : (i - first) / J * width;
    const uint32_t field = codes[i] >> lowest & ((1u << width) - 1);
    message[begin + byte] = static_cast<unsigned char>(message[begin + byte] | field << bit);
  }
}

inline void WriteCodes(Message& message, const std::vector<uint32_t>& codes, uint32_t symbols) {
  if (symbols == 3) {
    for (size_t first = 0; first < codes.size(); first += 1024) {
      const size_t m = std::min<size_t>(1024, codes.size() - first), bytes = (m + 4) / 5, begin = message.size();
      message.resize(begin + bytes);
      const unsigned powers[] = {1, 3, 9, 27, 81};
      for (size_t i = 0; i < m; ++i)
        message[begin + i % bytes] =
            static_cast<unsigned char>(message[begin + i % bytes] + codes[first + i] * powers[i / bytes]);
    }
    return;
  }
  size_t width = 0;
  while (uint32_t{1} << width < symbols) ++width;
  for (size_t lowest = 0, field = 8; lowest < width; lowest += field) {
    while (field > width - lowest) field /= 2;
    WriteFields(message, codes, field, lowest);
  }
}

/// floor(2^bits share), share in [0, 1].
template <typename T>
uint64_t Threshold(T share, int bits) {
  return static_cast<uint64_t>(std::floor(std::ldexp(static_cast<long double>(share), bits)));
}

/// The second number below q if fl(norm q) > s.
template <typename T>
T Inverse(T norm, T q, int s) {
  return norm * q > static_cast<T>(s) ? std::nextafter(std::nextafter(q, T(0)), T(0)) : q;
}

template <typename T>
Message EncodeDithering(const std::vector<T>& u, const Coded& coded) {
  const int s = Levels(coded);
  const bool powers = coded.op() == "natural_dithering", clip = coded.has("clip");
  const std::string p = coded.op() == "qsgd" ? "2" : coded.op() == "terngrad" ? "inf" : coded.option(1);
  const size_t shared = Block(coded);
  const Coins coins(coded.site);
  std::vector<uint32_t> codes;
  Message message;
  T r = 0, c = 0, q = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    if (i % shared == 0) {
      const std::vector<T> block(u.begin() + i, u.begin() + std::min(i + shared, u.size()));
      r = NormOf(block, p);
      if (clip) r = std::min(r, T(2.5) * (NormOf(block, "2") / std::sqrt(static_cast<T>(block.size()))));
      c = Nearer(r), q = r == 0 ? T(0) : powers ? 1 / (c * r) : Inverse(c * r, 1 / Unit(r, s), s);
      Write(message, r);
    }
    const T y = std::min(c * std::abs(u[i]) * q, powers ? T(1) : static_cast<T>(s));
    int level = static_cast<int>(y);
    T share = y - static_cast<T>(level);
    if (powers) {
      level = y == 0 ? 0 : std::max(std::ilogb(y) + s, 0);
      share = level > 0 ? y / std::exp2(static_cast<T>(std::ilogb(y))) - 1 : std::exp2(static_cast<T>(s - 1)) * y;
    }
    const uint64_t draw = u[i] < 0 ? coins.Draw(i, sizeof(T)) : coins.Down(i, sizeof(T));
    level += draw < Threshold(share, 8 * sizeof(T));
    codes.push_back(static_cast<uint32_t>(u[i] < 0 ? s - level : s + level));
  }
  WriteCodes(message, codes, static_cast<uint32_t>(2 * s + 1));
  return message;
}

template <typename T>
Message EncodeNatural(const std::vector<T>& u, const Coded& coded) {
  using Word = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr int kLower = sizeof(T) == 4 ? 23 : 52, kWidth = sizeof(T) == 4 ? 9 : 12;
  const Coins coins(coded.site);
  std::vector<uint32_t> codes;
  for (size_t i = 0; i < u.size(); ++i) {
    Word bits;
    std::memcpy(&bits, &u[i], sizeof(T));
    const Word lower = bits & ((Word{1} << kLower) - 1);
    auto code = static_cast<uint32_t>(bits >> kLower);
    const uint32_t exponents = (1u << (kWidth - 1)) - 1;
    code += coins.Down(i, sizeof(T)) < static_cast<uint64_t>(lower) << kWidth;
    if ((code & exponents) == exponents) --code;
    codes.push_back((code & exponents) == 0 ? 0 : code);
  }
  Message message;
  WriteCodes(message, codes, 1u << kWidth);
  return message;
}

template <typename T>
Message EncodeStochasticSign(const std::vector<T>& u, const Coded& coded) {
  Message message;
  const Coins coins(coded.site);
  constexpr int kBits = 8 * sizeof(T) - 1;
  std::vector<uint32_t> bits;
  T r = 0, c = 0, q = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    if (i % 1024 == 0) {
      r = NormOf(std::vector<T>(u.begin() + i, u.begin() + std::min(i + 1024, u.size())), "2");
      c = Nearer(r), q = r == 0 ? T(0) : Inverse(c * r, 1 / Unit(r, 1), 1);
      coded.has("norm") ? Write(message, r) : Write(message, static_cast<uint8_t>(r > 0));
    }
    const uint64_t share = Threshold(std::min(c * std::abs(u[i]) * q, T(1)), kBits), half = uint64_t{1} << kBits;
    const bool is_all = u[i] < 0 && share == half;  // 2 half: not a number of 64 bits
    bits.push_back(is_all || coins.Draw(i, sizeof(T)) < (u[i] < 0 ? half + share : half - share));
  }
  WriteFields(message, bits, 1);
  return message;
}

/// Empty where no encoder is written here.
template <typename T>
Message EncodePiece(const std::vector<T>& u, const Coded& coded) {
  const std::string op = coded.op();
  if (op == "qsgd" || op == "dithering" || op == "terngrad" || op == "natural_dithering")
    return EncodeDithering(u, coded);
  if (op == "natural") return EncodeNatural(u, coded);
  if (op == "ssign") return EncodeStochasticSign(u, coded);
  return {};
}

}  // namespace gradwire::format
