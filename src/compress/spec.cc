// SPDX-License-Identifier: Apache-2.0
#include "compress/spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "gradwire/error.h"

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
bool ParseNumber(std::string_view text, N& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

size_t Amount::Of(size_t parameter_numel) const {
  if (parameter_numel == 0) return 0;
  const size_t k = percent_ > 0 ? static_cast<size_t>(std::llround(percent_ * static_cast<double>(parameter_numel) / 100))
                                : count_;
  return std::clamp<size_t>(k, 1, parameter_numel);
}

std::string Amount::text() const { return percent_ > 0 ? fmt::format("{}%", percent_) : fmt::format("{}", count_); }

Amount ParseAmount(std::string_view op, std::string_view argument) {
  if (argument.ends_with('%')) {
    double percent = 0;
    if (ParseNumber(argument.substr(0, argument.size() - 1), percent) && percent > 0 && percent <= 100)
      return Amount::Percent(percent);
  } else {
    size_t count = 0;
    if (ParseNumber(argument, count) && count > 0) return Amount::Count(count);
  }
  throw ConfigError(fmt::format("compressor '{0}:{1}': expected a number of elements per parameter ({0}:5000) or a "
                                "percentage above 0 and up to 100 ({0}:1%)", op, argument));
}

void RefuseArgument(std::string_view op, std::string_view argument) {
  if (!argument.empty()) throw ConfigError(fmt::format("compressor '{0}:{1}': {0} takes no argument; write '{0}'", op, argument));
}

std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view nearest;
  size_t least = std::max<size_t>(2, word.size() / 2) + 1;
  for (const std::string_view candidate : candidates)
    if (const size_t distance = EditDistance(word, candidate); distance < least) least = distance, nearest = candidate;
  return nearest;
}

}  // namespace gradwire
