// SPDX-License-Identifier: Apache-2.0
#pragma once

// A decoder written from src/wire/FORMAT.md alone. It shares no code with the library on purpose, and is as plain as
// can be: it shows that the document suffices.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <xxhash.h>

namespace gradwire::format {

struct Settings {
  std::string op;       ///< "identity", "fp16", "bf16", "sign" or "topk"
  double count = 0;     ///< topk: elements of a parameter, or
  double percent = 0;   ///< this share of them
  bool tensor = false;  ///< piece: tensor
  size_t min_compress_numel = 0;
  bool compress_1d = false;
};

struct Tensor {
  size_t numel, dimensions;
};

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

inline size_t Count(const Settings& settings, size_t numel) {
  const double rounded = settings.percent > 0 ? std::floor(settings.percent * numel / 100 + 0.5) : settings.count;
  return static_cast<size_t>(std::clamp(rounded, 1.0, static_cast<double>(numel)));
}

/// The shares of all pieces of a parameter.
inline std::vector<size_t> Shares(size_t count, const std::vector<size_t>& pieces) {
  if (pieces.size() == 1) return {count};
  size_t numel = 0, given = 0;
  for (const size_t n : pieces) numel += n;
  std::vector<size_t> shares, order;
  for (size_t i = 0; i < pieces.size(); ++i) {
    shares.push_back(count * pieces[i] / numel);
    given += shares[i];
    order.push_back(i);
  }
  const auto remainder = [&](size_t i) { return count * pieces[i] % numel; };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return remainder(a) > remainder(b); });
  if (shares.back() == 0) {
    order.erase(std::find(order.begin(), order.end(), pieces.size() - 1));
    order.insert(order.begin(), pieces.size() - 1);
  }
  for (size_t i = 0; given < count; ++i, ++given) ++shares[order[i]];
  for (size_t& share : shares) share = std::max<size_t>(share, 1);
  return shares;
}

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

/// A piece of n elements at byte `at`, which moves behind it; k: its share.
template <typename T>
std::vector<T> Piece(const Message& message, size_t& at, const std::string& op, size_t n, size_t k) {
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
    at = TopK(message, at, k, values);
  else
    throw std::runtime_error("operator " + op + ": describe it in FORMAT.md and decode it here");
  return values;
}

/// The elements of a bucket as one rank sent them. `bucket`: ids of its parameters, in order.
template <typename T>
std::vector<T> Bucket(const Message& message, const Settings& settings, const std::vector<Tensor>& parameters,
                      const std::vector<uint32_t>& bucket) {
  Require(Read<uint32_t>(message, 0) == 0x31525747 && Read<uint16_t>(message, 4) == 1, "magic or version");
  Require(Read<uint16_t>(message, 6) <= 1 && Read<uint32_t>(message, 60) == 0, "flags or reserved");
  Require(Read<uint64_t>(message, 32) == message.size() - 64, "size");
  Require(Read<uint64_t>(message, 48) == XXH3_64bits_withSeed(&message[64], message.size() - 64, message[6]),
          "checksum");
  std::vector<T> elements;
  std::vector<uint64_t> layout;
  size_t at = 64;
  for (const uint32_t id : bucket) {
    const Tensor& tensor = parameters[id];
    if (tensor.numel == 0) continue;
    const bool dense = tensor.numel < settings.min_compress_numel || (!settings.compress_1d && tensor.dimensions < 2);
    std::vector<size_t> pieces(settings.tensor ? 1 : tensor.numel / 65536, settings.tensor ? tensor.numel : 65536);
    if (!settings.tensor && tensor.numel % 65536) pieces.push_back(tensor.numel % 65536);
    const std::vector<size_t> shares = Shares(Count(settings, tensor.numel), pieces);
    for (size_t i = 0; i < pieces.size(); ++i) {
      const size_t begin = at;
      const std::vector<T> values = Piece<T>(message, at, dense ? "identity" : settings.op, pieces[i], shares[i]);
      layout.insert(layout.end(), {id, i, elements.size(), begin, at - begin});
      elements.insert(elements.end(), values.begin(), values.end());
      for (; at % 16; ++at) Require(Read<uint8_t>(message, at) == 0, "padding");
    }
  }
  Require(at == message.size() && Read<uint32_t>(message, 56) == layout.size() / 5, "number of payloads");
  Require(Read<uint64_t>(message, 40) == XXH3_64bits(layout.data(), 8 * layout.size()), "layout");
  return elements;
}

/// What every rank makes of the messages: elements by rank -> result.
template <typename T>
std::vector<T> Result(const std::vector<std::vector<T>>& ranks) {
  const T w = static_cast<T>(1.0 / static_cast<double>(ranks.size()));
  std::vector<T> result(ranks[0].size());
  for (const std::vector<T>& elements : ranks)
    for (size_t i = 0; i < elements.size(); ++i) result[i] += w * elements[i];
  return result;
}

}  // namespace gradwire::format
