// SPDX-License-Identifier: Apache-2.0
#include "gradwire/participation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/philox.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr std::string_view kIid = "iid:", kNice = "nice:";

}  // namespace

size_t Participation::CountOf(size_t workers) const {
  if (is_all()) return workers;
  return std::max(size_t{1}, static_cast<size_t>(std::lround(share * static_cast<double>(workers))));
}

std::vector<double> Participation::Weights(uint64_t seed, uint64_t step, size_t workers) const {
  std::vector<double> weights(workers, 1.0);
  std::vector<size_t> order(workers);
  if (!is_all()) Draw(seed, step, weights, order);
  return weights;
}

void Participation::Draw(uint64_t seed, uint64_t step, std::span<double> weights, std::span<size_t> order) const {
  const size_t workers = weights.size(), r = CountOf(workers);
  const double weight = static_cast<double>(workers) / static_cast<double>(r);
  Philox random(seed, Purpose::kParticipation, 0, step);
  std::ranges::fill(weights, 0.0);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = 0; i < r; ++i) {
    const size_t first = kind == Kind::kNice ? i : 0;  // the first i of `order` are drawn already
    const size_t drawn = first + random.Below(static_cast<uint32_t>(workers - first));
    weights[order[drawn]] += weight;
    if (kind == Kind::kNice) std::swap(order[i], order[drawn]);
  }
}

std::string Participation::text() const {
  return is_all() ? "all" : fmt::format("{}{:.12g}%", kind == Kind::kIid ? kIid : kNice, 100 * share);
}

Participation ParseParticipation(std::string_view text) {
  if (text == "all") return {};
  for (const std::string_view prefix : {kIid, kNice}) {
    if (!text.starts_with(prefix) || !text.ends_with('%')) continue;
    const std::string_view number = text.substr(prefix.size(), text.size() - prefix.size() - 1);
    double percent = 0;
    const auto [end, error] = std::from_chars(number.begin(), number.end(), percent);
    if (error != std::errc{} || end != number.end() || !(percent > 0 && percent <= 100)) break;
    return {prefix == kIid ? Participation::Kind::kIid : Participation::Kind::kNice, percent / 100};
  }
  throw ConfigError(fmt::format("found '{}', expected all, iid:P% or nice:P%, P above 0 and up to 100", text));
}

}  // namespace gradwire
