// SPDX-License-Identifier: Apache-2.0
#pragma once

// The payloads of single operators of src/wire/FORMAT.md, decoded as the document says: part of format_decoder.h.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
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
  std::string spec;
  std::vector<size_t> pieces;  ///< elements of all pieces of its parameter
  Site site;
  size_t rows = 0, cols = 0;  ///< of a matrix
  bool symmetric = false;
  size_t bytes = 0;  ///< of the payload, where the message has a table of sizes

  size_t numel() const { return pieces[site.piece]; }
  std::string op() const { return spec.substr(0, spec.find_first_of(":(")); }
  /// What stands behind the i-th colon; empty if there is none.
  std::string option(size_t i) const {
    size_t begin = 0;
    for (; i > 0; --i, ++begin)
      if ((begin = spec.find(':', begin)) == std::string::npos) return "";
    return spec.substr(begin, spec.find(':', begin) - begin);
  }
  bool has(const std::string& word) const { return spec.find(":" + word) != std::string::npos; }
};

/// Elements that share a norm.
inline size_t Block(const Coded& coded) {
  const size_t at = coded.spec.find(":block=");
  return at == std::string::npos ? 1024 : std::stoul(coded.spec.substr(at + 7));
}

/// The count "5" or "1%" of a parameter.
inline size_t Count(const std::string& amount, size_t numel) {
  const double number = std::stod(amount),
               rounded = amount.back() == '%' ? std::floor(number * numel / 100 + 0.5) : number;
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

/// Operators that keep some: how many of this piece.
inline size_t Share(const Coded& coded) {
  size_t numel = 0;
  for (const size_t n : coded.pieces) numel += n;
  return Shares(Count(coded.option(1), numel), coded.pieces)[coded.site.piece];
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
  const size_t codes = at + (values.size() + 1023) / 1024 * 4;
  for (size_t i = 0; i < values.size(); ++i) {
    const int32_t e = Read<int32_t>(message, at + i / 1024 * 4);
    Require(e >= -1100 && e <= 1100, "an impossible exponent");
    values[i] = static_cast<T>(std::ldexp(value_of(Read<uint16_t>(message, codes + 2 * i)), -e));
  }
  return codes + 2 * values.size();
}

template <typename T>
size_t Sign(const Message& message, size_t at, size_t block, std::vector<T>& values) {
  const size_t n = values.size(), signs = at + (n + block - 1) / block * sizeof(T);
  for (size_t i = 0; i < n; ++i) {
    const T scale = Read<T>(message, at + i / block * sizeof(T));
    Require(scale >= 0 && std::isfinite(scale), "an impossible scale");
    values[i] = Read<uint8_t>(message, signs + i / 8) >> (i % 8) & 1 ? -scale : scale;
  }
  return signs + (n + 7) / 8;
}

inline bool Bit(const Message& message, size_t at, size_t bit) {
  return Read<uint8_t>(message, at + bit / 8) >> bit % 8 & 1;
}

/// Plain and stochastic signs: a factor of the type Factor for each block, then bits.
template <typename Factor, typename T>
size_t UnitSigns(const Message& message, size_t at, size_t block, std::vector<T>& values) {
  const size_t signs = at + (values.size() + block - 1) / block * sizeof(Factor);
  for (size_t i = 0; i < values.size(); ++i) {
    const Factor factor = Read<Factor>(message, at + i / block * sizeof(Factor));
    Require(sizeof(Factor) == 1 ? factor <= 1 : factor >= 0 && std::isfinite(factor), "an impossible factor");
    values[i] = Bit(message, signs, i) ? -static_cast<T>(factor) : static_cast<T>(factor);
  }
  return signs + (values.size() + 7) / 8;
}

/// Positions of k elements among n, coded at byte `at`, which moves behind them.
inline std::vector<size_t> CodedPositions(const Message& message, size_t& at, size_t k, size_t n) {
  const auto string = [&](size_t low) { return (n - k) >> low ? k + ((n - k) >> low) : 0; };
  size_t low = 0;
  for (size_t other = 1; other <= 64 && (n - k) >> (other - 1); ++other)
    if (k * other + string(other) < k * low + string(low)) low = other;
  const size_t bits = k * low + string(low);
  std::vector<size_t> positions;
  for (size_t i = 0; i < string(low); ++i)
    if (Bit(message, at, k * low + i)) positions.push_back((i - positions.size()) << low);
  if (string(low) == 0) positions.resize(k);
  Require(positions.size() == k, "a number of positions");
  for (size_t j = 0, least = 0; j < k; ++j) {
    for (size_t bit = 0; bit < low; ++bit) positions[j] |= size_t{Bit(message, at, j * low + bit)} << bit;
    Require(positions[j] >= least && positions[j] <= n - k, "a position out of place");
    least = positions[j], positions[j] += j;
  }
  for (size_t i = bits; i % 8; ++i) Require(!Bit(message, at, i), "unused bits");
  at += (bits + 7) / 8;
  return positions;
}

/// k kept elements: values, then positions.
template <typename T>
size_t Sparse(const Message& message, size_t at, size_t k, std::vector<T>& values) {
  size_t behind = at + k * sizeof(T);
  for (const size_t position : CodedPositions(message, behind, k, values.size())) {
    values[position] = Read<T>(message, at);
    at += sizeof(T);
  }
  return behind;
}

/// A position of each of k strata of n, ascending.
inline std::vector<size_t> Positions(const Coins& coins, size_t n, size_t k) {
  std::set<size_t> positions;
  // n L / 2^64 of a number of 64 bits, by its halves.
  const uint64_t low = coins.Draw(0, 8) & 0xffffffff, high = coins.Draw(1, 8) & 0xffffffff;
  const size_t shift = (high * n + (low * n >> 32)) >> 32;
  size_t begin = 0;
  for (size_t j = 0; j < k; ++j) {
    const size_t length = n / k + (j < n % k);
    positions.insert((begin + (length * (coins.Draw(j, 8) >> 32) >> 32) + shift) % n);
    begin += length;
  }
  return {positions.begin(), positions.end()};
}

template <typename T>
size_t RandK(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  Site site = coded.site;
  if (coded.has("common")) site.worker = 0xffffffff;
  const size_t n = values.size(), k = Share(coded);
  const T scale = coded.has("unscaled") ? 1 : static_cast<T>(static_cast<double>(n) / static_cast<double>(k));
  size_t behind = at + k * sizeof(T);
  const bool sent = coded.has("sent");
  for (const size_t position : sent ? CodedPositions(message, behind, k, n) : Positions(Coins(site), n, k)) {
    values[position] = scale * Read<T>(message, at);
    at += sizeof(T);
  }
  return behind;
}

/// Digit i of a block of m codes, five to a byte.
inline uint32_t Digit(const Message& message, size_t at, size_t m, size_t i) {
  const size_t bytes = (m + 4) / 5;
  unsigned byte = Read<uint8_t>(message, at + i % bytes);
  Require(byte < 243, "five digits in base 3");
  for (size_t digit = 0; digit < i / bytes; ++digit) byte /= 3;
  return byte % 3;
}

/// Field i of n of `width` bits each.
inline uint32_t Field(const Message& message, size_t at, size_t n, size_t i, size_t width) {
  if (width == 8) return Read<uint8_t>(message, at + i);
  if (width == 1) return Bit(message, at, i);
  const size_t group = 128 / width, first = i / group * group, J = (std::min(group, n - first) * width + 7) / 8;
  return Read<uint8_t>(message, at + first * width / 8 + (i - first) % J) >> (i - first) / J * width &
         ((1u << width) - 1);
}

/// n packed codes of `symbols` different ones.
inline std::vector<uint32_t> Codes(const Message& message, size_t& at, size_t n, uint32_t symbols) {
  std::vector<uint32_t> codes(n);
  if (symbols == 3) {
    for (size_t first = 0; first < n; first += 1024) {
      const size_t m = std::min<size_t>(1024, n - first);
      for (size_t i = 0; i < m; ++i) codes[first + i] = Digit(message, at, m, i);
      at += (m + 4) / 5;
    }
    return codes;
  }
  size_t width = 0;
  while (uint32_t{1} << width < symbols) ++width;
  for (size_t lowest = 0, field = 8; lowest < width; lowest += field) {
    while (field > width - lowest) field /= 2;
    for (size_t i = 0; i < n; ++i) codes[i] |= Field(message, at, n, i, field) << lowest;
    at += (n * field + 7) / 8;
  }
  return codes;
}

inline int Levels(const Coded& coded) {
  return coded.op() == "terngrad" ? 1 : std::stoi(coded.option(coded.op() == "qsgd" ? 1 : 2));
}

/// What keeps arithmetic with a norm away from the ends of T.
template <typename T>
T Nearer(T norm) {
  const T far = static_cast<T>(std::ldexp(1.0, sizeof(T) == 4 ? 64 : 512));
  return norm < 1 / far ? far : norm > far ? 1 / far : T(1);
}

/// The unit of dithering.
template <typename T>
T Unit(T norm, int s) {
  const T c = Nearer(norm), d = c * norm / static_cast<T>(s);
  return std::isinf(static_cast<T>(s) * d / c) ? std::nextafter(d, T(0)) : d;
}

template <typename T>
T LevelValue(const Coded& coded, T norm, int level) {
  const int s = Levels(coded);
  if (level == 0) return 0;
  if (coded.op() == "natural_dithering") return static_cast<T>(std::ldexp(1.0, level - s)) * norm;
  return static_cast<T>(level) * Unit(norm, s) / Nearer(norm);
}

template <typename T>
size_t Dithering(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  const int s = Levels(coded);
  const size_t norms = at, block = Block(coded);
  at += (values.size() + block - 1) / block * sizeof(T);
  const std::vector<uint32_t> codes = Codes(message, at, values.size(), static_cast<uint32_t>(2 * s + 1));
  for (size_t i = 0; i < values.size(); ++i) {
    const T norm = Read<T>(message, norms + i / block * sizeof(T));
    Require(norm >= 0 && std::isfinite(norm), "an impossible norm");
    const int signed_level = static_cast<int>(codes[i]) - s, level = std::abs(signed_level);
    Require(level <= s, "an impossible level");
    const T magnitude = LevelValue(coded, norm, level);
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

/// A matrix by its factors, or as it is.
template <typename T>
size_t LowRank(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  const size_t R = std::stoul(coded.option(1)), m = coded.rows, n = coded.cols;
  const size_t numbers = coded.symmetric ? R * (m + 1) : R * (m + n);
  if (m == 0 || numbers >= coded.numel()) return Identity(message, at, values);
  const int32_t e = Read<int32_t>(message, at);
  Require(e >= -1100 && e <= 1100, "an impossible exponent");
  std::vector<double> q;
  for (size_t i = 0; i < numbers; ++i) {
    q.push_back(Read<T>(message, at + 4 + i * sizeof(T)));
    Require(std::abs(q.back()) <= 4294967296.0, "an impossible factor");
  }
  const double most = static_cast<double>(std::numeric_limits<T>::max());
  size_t element = 0;
  for (size_t i = 0; i < m; ++i)
    for (size_t j = coded.symmetric ? i : 0; j < n; ++j) {
      double s = 0;
      for (size_t r = 0; r < R; ++r)
        s += coded.symmetric ? q[r] * q[R + r * m + i] * q[R + r * m + j] : q[r * m + i] * q[R * m + r * n + j];
      if (coded.symmetric && i < j) s *= std::sqrt(2.0);
      values[element++] = static_cast<T>(std::clamp(std::ldexp(s, e), -most, most));
    }
  return at + 4 + numbers * sizeof(T);
}

/// k consecutive elements.
template <typename T>
size_t RandSeqK(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  const size_t n = values.size(), k = Share(coded);
  const T scale = static_cast<T>(static_cast<double>(n) / static_cast<double>(k));
  const size_t start = Coins(coded.site).Below(static_cast<uint32_t>(n));
  for (size_t i = 0; i < k; ++i) values[(start + i) % n] = scale * Read<T>(message, at + i * sizeof(T));
  return at + k * sizeof(T);
}

/// As many kept elements as the payload says.
template <typename T>
size_t Counted(const Message& message, size_t at, std::vector<T>& values) {
  const uint32_t k = Read<uint32_t>(message, at);
  Require(k <= values.size(), "more elements than there are");
  return Sparse(message, at + 4, k, values);
}

template <typename T>
size_t Bernoulli(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  const double p = std::stod(coded.option(1));
  if (values.empty() || !(Coins(coded.site).Uniform() < p)) return at;
  at = Identity(message, at, values);
  for (T& x : values) x *= static_cast<T>(1 / p);
  return at;
}

template <typename T>
size_t IndependentCoins(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  if (values.empty()) return at;
  Coins coins(coded.site);
  const double p = static_cast<double>(Share(coded)) / static_cast<double>(values.size());
  for (T& x : values) {
    if (!(coins.Uniform() < p)) continue;
    x = Read<T>(message, at);
    at += sizeof(T);
  }
  return at;
}

/// The number that an omega code stands for, from a bit on; bits from the highest of a byte down.
inline uint64_t OmegaCode(const Message& message, size_t& bit) {
  const auto next = [&] {
    const bool is_one = Read<uint8_t>(message, bit / 8) >> (7 - bit % 8) & 1;
    ++bit;
    return is_one;
  };
  uint64_t m = 1;
  while (next()) {
    Require(m < 32, "a number of more than 32 bits");
    uint64_t longer = 1;
    for (uint64_t i = 0; i < m; ++i) longer = 2 * longer + (next() ? 1 : 0);
    m = longer;
  }
  return m;
}

inline size_t OmegaCodeBits(uint64_t m) {
  if (m == 1) return 1;
  size_t width = 0;
  while (m >> width) ++width;
  return OmegaCodeBits(width - 1) + width;
}

/// Levels of steps[:S], or of smooth(steps...).
inline double LevelsOfSteps(const Coded& coded) {
  const std::string s = coded.option(1);
  return s.empty() || s == "uniform" || s == "diana" ? std::sqrt(static_cast<double>(coded.numel())) : std::stod(s);
}

template <typename T>
size_t Steps(const Message& message, size_t at, const Coded& coded, std::vector<T>& values) {
  if (values.empty()) return at;
  const double h = 1 / LevelsOfSteps(coded), r = Read<T>(message, at);
  Require(r >= 0 && std::isfinite(r), "an impossible norm");
  const size_t end = 8 * (at + coded.bytes);
  const auto is_filled = [&](size_t bit) {  // by ones, to the end of the byte
    for (size_t b = bit; b < end; ++b)
      if (!(Read<uint8_t>(message, b / 8) >> (7 - b % 8) & 1)) return false;
    return end - bit < 8;
  };
  size_t place = 0;  // behind the element before
  for (size_t bit = 8 * (at + sizeof(T)); !is_filled(bit);) {
    place += OmegaCode(message, bit);
    Require(place <= values.size(), "an element behind the last one");
    const bool negative = Read<uint8_t>(message, bit / 8) >> (7 - bit % 8) & 1;
    ++bit;
    const double level = static_cast<double>(OmegaCode(message, bit));
    Require(level <= std::ceil(1 / h), "a level beyond the norm");
    const double value = std::min(r * h * level, static_cast<double>(std::numeric_limits<T>::max()));
    values[place - 1] = static_cast<T>(negative ? -value : value);
  }
  return at + coded.bytes;
}

}  // namespace gradwire::format
