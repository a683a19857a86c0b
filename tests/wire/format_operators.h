// SPDX-License-Identifier: Apache-2.0
#pragma once

// The operators of src/wire/FORMAT.md, decoded as the document says: which payload a spec has, and how operators that
// are made of others put theirs together. Part of format_decoder.h.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "wire/format_payloads.h"

namespace gradwire::format {

/// Both arguments of a combination; the second is empty where there is one only.
inline std::pair<std::string, std::string> Arguments(const std::string& spec) {
  const size_t open = spec.find('(');
  int depth = 0;
  for (size_t i = open + 1; i < spec.size(); ++i) {
    depth += (spec[i] == '(') - (spec[i] == ')');
    if (depth == 0 && spec[i] == ',')
      return {spec.substr(open + 1, i - open - 1), spec.substr(i + 1, spec.size() - i - 2)};
  }
  return {spec.substr(open + 1, spec.size() - open - 2), ""};
}

/// omega of the operators that the tests put into unscale().
inline double Omega(const Coded& coded) {
  const double d = std::min(static_cast<double>(coded.numel()), 1024.0), s = coded.op() == "qsgd" ? Levels(coded) : 0;
  Require(s > 0, "omega");
  return std::min((std::sqrt(d) - 1) / s, d / (4 * s * s));
}

/// lambda, likewise.
inline double Lambda(const Coded& coded) {
  if (coded.op() == "topk") return 1;
  if (coded.op() != "compose" && coded.op() != "scaled") return 1 / (1 + Omega(coded));
  Coded first = coded, second = coded;
  std::tie(first.spec, second.spec) = Arguments(coded.spec);
  return coded.op() == "scaled" ? Lambda(first) / std::stod(second.spec) : Lambda(second) / (1 + Omega(first));
}

template <typename T>
std::vector<T> Piece(const Message& message, size_t& at, const Coded& coded);

/// U v in binary64, with U = D_1 H_1 D_2 H_2.
inline void Turn(const Coded& coded, std::vector<double>& v) {
  const size_t n = v.size(), words = (n + 31) / 32;
  size_t m = 1;
  while (2 * m <= n) m *= 2;
  std::vector<uint32_t> signs(2 * words);
  Coins coins(Site{coded.site.seed, 0xffffffff, 0, 0xffffffff, 0});
  for (uint32_t& word : signs) word = coins.Next();
  for (const size_t part : {1, 0}) {
    const size_t from = part == 1 ? n - m : 0;
    for (size_t half = 1; half < m; half *= 2)
      for (size_t i = 0; i < m; ++i) {
        if (i / half % 2) continue;
        const double a = v[from + i], b = v[from + i + half];
        v[from + i] = a + b, v[from + i + half] = a - b;
      }
    for (size_t i = 0; i < m; ++i) v[from + i] *= 1 / std::sqrt(static_cast<double>(m));
    for (size_t i = 0; i < n; ++i)
      if (signs[part * words + i / 32] >> i % 32 & 1) v[i] = -v[i];
  }
}

/// What rotate() makes of values: of a symmetric matrix its rows, and then its columns, are turned.
template <typename T>
std::vector<T> Turned(const Coded& coded, const std::vector<T>& values) {
  std::vector<double> v(values.begin(), values.end());
  const size_t d = coded.rows;
  if (!coded.symmetric) {
    if (!v.empty()) Turn(coded, v);
  } else {
    std::vector<std::vector<double>> matrix(d, std::vector<double>(d)), turned = matrix;
    size_t at = 0;
    for (size_t i = 0; i < d; ++i)
      for (size_t j = i; j < d; ++j, ++at) matrix[i][j] = matrix[j][i] = i == j ? v[at] : v[at] / std::sqrt(2.0);
    for (int side = 0; side < 2; ++side) {
      for (std::vector<double>& row : matrix) Turn(coded, row);
      for (size_t i = 0; i < d; ++i)
        for (size_t j = 0; j < d; ++j) turned[i][j] = matrix[j][i];
      matrix = turned;
    }
    at = 0;
    for (size_t i = 0; i < d; ++i)
      for (size_t j = i; j < d; ++j, ++at) v[at] = i == j ? matrix[i][j] : std::sqrt(2.0) * matrix[i][j];
  }
  const double most = static_cast<double>(std::numeric_limits<T>::max());
  std::vector<T> result;
  for (const double x : v) result.push_back(static_cast<T>(std::clamp(x, -most, most)));
  return result;
}

template <typename T>
std::vector<T> Combined(const Message& message, size_t& at, const Coded& coded) {
  const auto [first, second] = Arguments(coded.spec);
  if (coded.op() == "smooth") {
    Coded inner = coded;
    inner.spec = first;
    return Piece<T>(message, at, inner);
  }
  const auto part = [&](const std::string& spec, uint32_t index) {
    Coded other = coded;
    other.spec = spec, other.site.part = 2 * coded.site.part + 1 + index;
    return other;
  };
  std::vector<T> values = Piece<T>(message, at, part(first, 0));
  if (coded.op() == "rotate") return Turned(coded, values);
  if (coded.op() == "induced" || coded.op() == "then") {
    for (; at % 16; ++at) Require(Read<uint8_t>(message, at) == 0, "padding within induced()");
    const std::vector<T> more = Piece<T>(message, at, part(second, 1));
    for (size_t i = 0; i < values.size(); ++i) values[i] += more[i];
  } else if (coded.op() != "compose") {
    const double c = coded.op() == "scaled" ? std::stod(second) : Lambda(part(first, 0));
    for (T& x : values) x *= static_cast<T>(c);
  }
  return values;
}

/// The operator whose payload is that of a combination, or of which it is the only part that may vary.
inline std::string VaryingPart(const std::string& spec) {
  if (spec.find('(') == std::string::npos) return spec;
  const std::string op = spec.substr(0, spec.find('('));
  const auto [first, second] = Arguments(spec);
  return VaryingPart(op == "induced" || op == "then" ? second : first);
}

/// Whether payloads vary in size.
inline bool Varies(const std::string& spec) {
  const std::string part = VaryingPart(spec), op = part.substr(0, part.find(':'));
  return op == "nu_randk" || op == "threshold" || op == "adaptive" || op == "bernoulli" || op == "coins" ||
         op == "steps" || op == "blocks" || part.ends_with(":counted");
}

/// The largest size of a payload that varies.
template <typename T>
size_t Largest(const Coded& coded) {
  Require(coded.op() != "induced" && coded.op() != "then", "the size of the first part: no test needs it");
  const size_t n = coded.numel();
  Coded varying = coded;
  varying.spec = VaryingPart(coded.spec);
  const std::string op = varying.op();
  if (op == "steps" || op == "blocks") {
    const auto most = static_cast<uint64_t>(std::ceil(LevelsOfSteps(varying)));
    return n == 0 ? 0 : sizeof(T) + (n * (2 + OmegaCodeBits(most)) + 7) / 8;
  }
  if (op == "bernoulli" || op == "coins") return n * sizeof(T);
  return 4 + (op == "topk" ? Share(varying) : n) * sizeof(T) + (n + 7) / 8;
}

/// The piece at byte `at`, which moves behind it.
template <typename T>
std::vector<T> Piece(const Message& message, size_t& at, const Coded& coded) {
  const std::string op = coded.op();
  if (coded.spec.find('(') != std::string::npos) return Combined<T>(message, at, coded);
  std::vector<T> values(coded.numel());
  if (op == "identity" || op == "clip")
    at = Identity(message, at, values);
  else if (op == "fp16")
    at = Cast(message, at, Binary16, values);
  else if (op == "bf16")
    at = Cast(message, at, UpperHalf, values);
  else if (coded.spec == "sign:plain")
    at = UnitSigns<uint8_t>(message, at, std::max<size_t>(values.size(), 1), values);
  else if (coded.spec == "ssign")
    at = UnitSigns<uint8_t>(message, at, 1024, values);
  else if (coded.spec == "ssign:norm")
    at = UnitSigns<T>(message, at, 1024, values);
  else if (op == "sign")
    at = Sign(message, at, coded.has("exact") ? std::max<size_t>(values.size(), 1) : 1024, values);
  else if (op == "rank")
    at = LowRank(message, at, coded, values);
  else if (op == "randseqk")
    at = values.empty() ? at : RandSeqK(message, at, coded, values);
  else if (op == "topk" && coded.has("counted"))
    at = Counted(message, at, values);
  else if (op == "topk")
    at = Sparse(message, at, Share(coded), values);
  else if (op == "nu_rand1")
    at = Sparse(message, at, values.empty() ? 0 : 1, values);
  else if (op == "nu_randk" || op == "threshold" || op == "adaptive")
    at = Counted(message, at, values);
  else if (op == "bernoulli")
    at = Bernoulli(message, at, coded, values);
  else if (op == "coins")
    at = IndependentCoins(message, at, coded, values);
  else if (op == "steps" || op == "blocks")
    at = Steps(message, at, coded, values);
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
