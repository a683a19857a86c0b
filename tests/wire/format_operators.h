// SPDX-License-Identifier: Apache-2.0
#pragma once

// The operators of src/wire/FORMAT.md, decoded as the document says: part of format_decoder.h.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "wire/format_random.h"

namespace gradwire::format {

using Message = std::vector<unsigned char>;

template <typename V>
V Read(const Message& message, size_t at) {
  if (at + sizeof(V) > message.size()) throw std::runtime_error("read beyond the message");
  V value;
  std::memcpy(&value, &message[at], sizeof(V));
  return value;
}

inline void Require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

/// How a piece was encoded.
struct Coded {
  std::string op, options;
  size_t share = 0;  ///< operators that keep some elements: how many of this piece
  Site site;
};

inline double Binary16(uint16_t code) {
  const int exponent = code >> 10 & 31, fraction = code & 1023;
  Require(exponent != 31, "a code that is infinite or NaN");
  const double magnitude = exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
  return code >> 15 ? -magnitude : magnitude;
}

inline double UpperHalf(uint16_t code) {
  Require((code >> 7 & 255) != 255, "a code that is infinite or NaN");
  const uint32_t bits = static_cast<uint32_t>(code) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// Each operator: fills `values` from the payload at byte `at`, and returns the byte behind it.

template <typename T>
size_t Identity(const Message& message, size_t at, std::vector<T>& values) {
  for (size_t i = 0; i < values.size(); ++i) values[i] = Read<T>(message, at + i * sizeof(T));
  return at + values.size() * sizeof(T);
}

template <typename T>
size_t Cast(const Message& message, size_t at, double (*value_of)(uint16_t), std::vector<T>& values) {
  const int32_t e = Read<int32_t>(message, at);
  Require(e >= -1100 && e <= 1100, "an impossible exponent");
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(std::ldexp(value_of(Read<uint16_t>(message, at + 4 + 2 * i)), -e));
  return at + 4 + 2 * values.size();
}

template <typename T>
size_t Sign(const Message& message, size_t at, std::vector<T>& values) {
  const size_t n = values.size(), signs = at + (n + 1023) / 1024 * sizeof(T);
  for (size_t i = 0; i < n; ++i) {
    const T scale = Read<T>(message, at + i / 1024 * sizeof(T));
    Require(scale >= 0 && std::isfinite(scale), "an impossible scale");
    values[i] = Read<uint8_t>(message, signs + i / 8) >> (i % 8) & 1 ? -scale : scale;
  }
  return signs + (n + 7) / 8;
}

template <typename T>
size_t TopK(const Message& message, size_t at, size_t k, std::vector<T>& values) {
  const size_t width = values.size() <= 65536 ? 2 : 4, positions = at + k * sizeof(T);
  for (size_t j = 0, next = 0; j < k; ++j) {
    const size_t place = positions + j * width;
    const size_t position = width == 2 ? Read<uint16_t>(message, place) : Read<uint32_t>(message, place);
    Require(position >= next && position < values.size(), "a position out of place");
    values[position] = Read<T>(message, at + j * sizeof(T));
    next = position + 1;
  }
  return positions + k * width;
}

/// k of n positions, ascending.
inline std::vector<size_t> Positions(Coins coins, size_t n, size_t k) {
  std::set<size_t> positions;
  for (size_t j = n - k; j < n; ++j) {
    const size_t drawn = coins.Below(static_cast<uint32_t>(j + 1));
    positions.insert(positions.count(drawn) ? j : drawn);
  }
  return {positions.begin(), positions.end()};
}

template <typename T>
size_t RandK(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  Site site = coded.site;
  if (coded.options.find("common") != std::string::npos) site.worker = 0xffffffff;
  const bool scaled = coded.options.find("unscaled") == std::string::npos;
  const T scale = scaled ? static_cast<T>(static_cast<double>(values.size()) / static_cast<double>(coded.share)) : 1;
  for (const size_t position : Positions(Coins(site), values.size(), coded.share)) {
    values[position] = scale * Read<T>(message, at);
    at += sizeof(T);
  }
  return at;
}

/// n packed codes of `symbols` different ones.
inline std::vector<uint32_t> Codes(const Message& message, size_t& at, size_t n, uint32_t symbols) {
  std::vector<uint32_t> codes(n);
  if (symbols == 3) {
    for (size_t i = 0; i < n; ++i) {
      unsigned byte = Read<uint8_t>(message, at + i / 5);
      Require(byte < 243, "five digits in base 3");
      for (size_t digit = 0; digit < i % 5; ++digit) byte /= 3;
      codes[i] = byte % 3;
    }
    at += (n + 4) / 5;
    return codes;
  }
  size_t width = 0;
  while (uint32_t{1} << width < symbols) ++width;
  for (size_t i = 0; i < n; ++i)
    for (size_t bit = 0; bit < width; ++bit) {
      const size_t place = i * width + bit;
      codes[i] |= (Read<uint8_t>(message, at + place / 8) >> place % 8 & 1u) << bit;
    }
  at += (n * width + 7) / 8;
  return codes;
}

template <typename T>
size_t Dithering(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  if (values.empty()) return at;
  const size_t colon = coded.options.find(':');
  const int s = coded.op == "terngrad"
                    ? 1
                    : std::stoi(colon == std::string::npos ? coded.options : coded.options.substr(colon + 1));
  const T norm = Read<T>(message, at);
  Require(norm >= 0 && std::isfinite(norm), "an impossible norm");
  at += sizeof(T);
  const std::vector<uint32_t> codes = Codes(message, at, values.size(), static_cast<uint32_t>(2 * s + 1));
  for (size_t i = 0; i < values.size(); ++i) {
    const int signed_level = static_cast<int>(codes[i]) - s, level = std::abs(signed_level);
    Require(level <= s, "an impossible level");
    const T fraction = coded.op == "natural_dithering" ? static_cast<T>(std::ldexp(1.0, level - s)) : T(level) / T(s);
    const T magnitude = level == 0 ? T(0) : norm * fraction;
    values[i] = signed_level < 0 ? -magnitude : magnitude;
  }
  return at;
}

template <typename T>
size_t Natural(const Message& message, size_t at, std::vector<T>& values) {
  constexpr int kWidth = sizeof(T) == 4 ? 9 : 12;
  const std::vector<uint32_t> codes = Codes(message, at, values.size(), 1u << kWidth);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t bits = static_cast<uint64_t>(codes[i]) << (8 * sizeof(T) - kWidth);
    std::memcpy(&values[i], &bits, sizeof(T));  // little-endian
    Require(std::isfinite(values[i]), "an infinite element");
  }
  return at;
}

/// A piece of n elements at byte `at`, which moves behind it.
template <typename T>
std::vector<T> Piece(const Message& message, size_t& at, const Coded& coded, size_t n) {
  const std::string& op = coded.op;
  std::vector<T> values(n);
  if (op == "identity")
    at = Identity(message, at, values);
  else if (op == "fp16")
    at = Cast(message, at, Binary16, values);
  else if (op == "bf16")
    at = Cast(message, at, UpperHalf, values);
  else if (op == "sign")
    at = Sign(message, at, values);
  else if (op == "topk")
    at = TopK(message, at, coded.share, values);
  else if (op == "randk")
    at = RandK(message, at, coded, values);
  else if (op == "qsgd" || op == "dithering" || op == "terngrad" || op == "natural_dithering")
    at = Dithering(message, at, coded, values);
  else if (op == "natural")
    at = Natural(message, at, values);
  else
    throw std::runtime_error("operator " + op + ": describe it in FORMAT.md and decode it here");
  return values;
}

}  // namespace gradwire::format
