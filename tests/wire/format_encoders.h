// SPDX-License-Identifier: Apache-2.0
#pragma once

// Encoders of the operators that round at random, written from src/wire/FORMAT.md alone: what they write must be the
// product's payloads, byte for byte.

#include "wire/format_operators.h"

namespace gradwire::format {

/// The document's order of additions.
template <typename S>
S Sum(const std::vector<S>& terms) {
  std::vector<S> sums;
  for (size_t first = 0; first < terms.size(); first += 1024) {
    S lanes[16] = {};
    for (size_t j = 0; j < 1024 && first + j < terms.size(); ++j) lanes[j % 16] += terms[first + j];
    for (size_t h = 8; h > 0; h /= 2)
      for (size_t j = 0; j < h; ++j) lanes[j] += lanes[j + h];
    sums.push_back(lanes[0]);
  }
  return sums.empty() ? S(0) : sums.size() == 1 ? sums[0] : Sum(sums);
}

/// The P-norm in binary64, for elements of ordinary size.
template <typename T>
double NormOf(const std::vector<T>& u, const std::string& p) {
  std::vector<double> terms;
  double largest = 0;
  for (const T x : u) {
    const double magnitude = std::abs(static_cast<double>(x));
    terms.push_back(p == "2" ? magnitude * magnitude : magnitude);
    largest = std::max(largest, magnitude);
  }
  return p == "inf" ? largest : p == "1" ? Sum(terms) : std::sqrt(Sum(terms));
}

template <typename V>
void Write(Message& message, V value) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
  message.insert(message.end(), bytes, bytes + sizeof(V));
}

inline void WriteFields(Message& message, const std::vector<uint32_t>& codes, size_t width, size_t shift = 0) {
  const size_t begin = message.size();
  message.resize(begin + (codes.size() * width + 7) / 8);
  for (size_t i = 0; i < codes.size(); ++i)
    for (size_t bit = 0; bit < width; ++bit) {
      const size_t place = i * width + bit;
      message[begin + place / 8] |= static_cast<unsigned char>((codes[i] >> (shift + bit) & 1) << place % 8);
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
  WriteFields(message, codes, std::min<size_t>(width, 8));
  if (width > 8) WriteFields(message, codes, width - 8, 8);
}

/// floor(2^bits share), share in [0, 1].
template <typename T>
uint64_t Threshold(T share, int bits) {
  return static_cast<uint64_t>(std::floor(std::ldexp(static_cast<long double>(share), bits)));
}

template <typename T>
Message EncodeDithering(const std::vector<T>& u, const Coded& coded) {
  const int s = Levels(coded);
  const bool powers = coded.op() == "natural_dithering", clip = coded.has("clip");
  const std::string p = coded.op() == "qsgd" ? "2" : coded.op() == "terngrad" ? "inf" : coded.option(1);
  T r = static_cast<T>(NormOf(u, p));
  for (const T x : u) r = std::max(r, std::abs(x));
  if (clip) r = std::min(r, static_cast<T>(2.5 * (NormOf(u, "2") / std::sqrt(static_cast<double>(u.size())))));
  const T c = Nearer(r), q = r == 0 ? T(0) : powers ? 1 / (c * r) : 1 / Unit(r, s);
  const Coins coins(coded.site);
  std::vector<uint32_t> codes;
  for (size_t i = 0; i < u.size(); ++i) {
    const T y = std::min(c * std::abs(u[i]) * q, powers ? T(1) : static_cast<T>(s));
    int level = static_cast<int>(y);
    T share = y - static_cast<T>(level);
    if (powers) {
      level = y == 0 ? 0 : std::max(std::ilogb(y) + s, 0);
      share = level > 0 ? y / std::exp2(static_cast<T>(std::ilogb(y))) - 1 : std::exp2(static_cast<T>(s - 1)) * y;
    }
    level += coins.Draw(i, sizeof(T)) < Threshold(share, 8 * sizeof(T));
    codes.push_back(static_cast<uint32_t>(u[i] < 0 ? s - level : s + level));
  }
  Message message;
  if (u.empty()) return message;
  Write(message, r);
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
    code += coins.Draw(i, sizeof(T)) < static_cast<uint64_t>(lower) << kWidth;
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
  if (u.empty()) return message;
  T r = static_cast<T>(NormOf(u, "2"));
  for (const T x : u) r = std::max(r, std::abs(x));
  coded.has("norm") ? Write(message, r) : Write(message, static_cast<uint8_t>(r > 0));
  const T c = Nearer(r), q = r == 0 ? T(0) : 1 / (c * r);
  const Coins coins(coded.site);
  constexpr int kBits = 8 * sizeof(T) - 1;
  std::vector<uint32_t> bits;
  for (size_t i = 0; i < u.size(); ++i) {
    const uint64_t threshold = (uint64_t{1} << kBits) - Threshold(std::min(c * std::abs(u[i]) * q, T(1)), kBits);
    bits.push_back(r > 0 && (u[i] < 0) != (coins.Draw(i, sizeof(T)) < threshold));
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
