// SPDX-License-Identifier: Apache-2.0
#include "compress/spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace gradwire {
namespace {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row.back();
}

template <typename N>
std::optional<N> Read(std::string_view text) {
  N number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

size_t Amount::Of(const Piece& piece) const {
  const size_t numel = piece.parameter_numel;
  if (numel == 0) return 0;
  if (percent_ == 0 && orders_ == 0) return std::clamp<size_t>(count_, 1, numel);
  const size_t order = piece.rows > 0 ? piece.rows : numel;
  const double k = percent_ * static_cast<double>(numel) / 100 + orders_ * static_cast<double>(order);
  return static_cast<size_t>(std::llround(std::clamp(k, 1.0, static_cast<double>(numel))));
}

std::string Amount::text() const {
  if (percent_ > 0) return fmt::format("{}%", percent_);
  return orders_ > 0 ? fmt::format("{}d", orders_) : fmt::format("{}", count_);
}

std::optional<double> ReadNumber(std::string_view text) {
  const auto number = Read<double>(text);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::optional<size_t> ReadCount(std::string_view text) { return Read<size_t>(text); }

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

ConfigError BadArgument(std::string_view op, std::string_view argument, std::string_view expected) {
  return ConfigError(fmt::format("compressor '{}:{}': expected {}", op, argument, expected));
}

Amount ParseAmount(std::string_view op, std::string_view amount, std::string_view argument) {
  if (amount.ends_with('%')) {
    const auto percent = ReadNumber(amount.substr(0, amount.size() - 1));
    if (percent && *percent > 0 && *percent <= 100) return Amount::Percent(*percent);
  } else if (amount.ends_with('d')) {
    const auto orders = ReadNumber(amount.substr(0, amount.size() - 1));
    if (orders && *orders > 0) return Amount::Orders(*orders);
  } else if (const auto count = ReadCount(amount); count && *count > 0) {
    return Amount::Count(*count);
  }
  throw BadArgument(op, argument,
                    fmt::format("a number of elements per parameter ({0}:5000), a percentage above 0 and up to 100 "
                                "({0}:1%), or a multiple of a symmetric matrix's order ({0}:8d)",
                                op));
}

void RefuseArgument(std::string_view op, std::string_view argument) {
  if (!argument.empty())
    throw ConfigError(fmt::format("compressor '{0}:{1}': {0} takes no argument; write '{0}'", op, argument));
}

void CheckSize(std::string_view spec) {
  if (spec.size() > kMaxSpecBytes)
    throw ConfigError(fmt::format("compressor '{}': is longer than {} bytes; expected a shorter one", Shown(spec, 60),
                                  kMaxSpecBytes));
  int depth = 0, deepest = 0;
  for (const char c : spec) depth += (c == '(') - (c == ')'), deepest = std::max(deepest, depth);
  if (deepest > kMaxSpecDepth)
    throw ConfigError(fmt::format("compressor '{}': has operators within each other, {} deep; expected at most {}",
                                  Shown(spec, 60), deepest, kMaxSpecDepth));
}

std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr size_t kLongestWord = 100;  // bytes; the distance takes time in proportion to both lengths
  if (word.size() > kLongestWord) return {};
  std::string_view nearest;
  size_t least = std::max<size_t>(2, word.size() / 2) + 1;
  for (const std::string_view candidate : candidates)
    if (const size_t distance = EditDistance(word, candidate); distance < least) least = distance, nearest = candidate;
  return nearest;
}

}  // namespace gradwire
