// SPDX-License-Identifier: Apache-2.0
#include "message/aggregate_rules.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/philox.h"
#include "compress/spec.h"
#include "gradwire/error.h"
#include "message/robust.h"

namespace gradwire {
namespace {

using Arguments = std::vector<std::string_view>;
using Promise = AggregateRule::Promise;

std::optional<Aggregate> ReadNothing(const Arguments& arguments) {
  return arguments.empty() ? std::optional(Aggregate{}) : std::nullopt;
}
std::string NoArguments(const Aggregate&) { return ""; }

std::optional<size_t> ReadPositive(std::string_view text) {
  const std::optional<size_t> count = ReadCount(text);
  return count && *count > 0 ? count : std::nullopt;
}

/// A count, or a share below a half.
std::optional<Aggregate> ReadTrimmed(const Arguments& arguments) {
  if (arguments.size() != 1) return std::nullopt;
  std::string_view text = arguments[0];
  if (!text.ends_with('%')) {
    const auto count = ReadPositive(text);
    return count ? std::optional(Aggregate{.count = *count}) : std::nullopt;
  }
  text.remove_suffix(1);
  const auto percent = ReadNumber(text);
  if (!percent || !(*percent > 0 && *percent < 50)) return std::nullopt;
  return Aggregate{.number = *percent / 100};
}
std::string TrimmedArguments(const Aggregate& a) {
  return a.number > 0 ? fmt::format(":{:.12g}%", 100 * a.number) : fmt::format(":{}", a.count);
}
/// Senders that are cut on each side.
size_t CutOf(const Aggregate& a, size_t senders) {
  constexpr double kRounding = 1e-9;  // of a share times a number of senders
  if (a.number == 0) return a.count;
  return static_cast<size_t>(a.number * static_cast<double>(senders) + kRounding);
}
std::string TrimmedMisfit(const Aggregate& a, size_t senders) {
  if (CutOf(a, senders) >= (senders + 1) / 2) return "leaves nothing; expected fewer on each side";
  return senders > 2 && CutOf(a, senders) == 0 ? "cuts nobody; expected a larger share, or mean" : "";
}

std::optional<Aggregate> ReadBuckets(const Arguments& arguments) {
  if (arguments.size() != 1) return std::nullopt;
  const auto size = ReadPositive(arguments[0]);
  return size ? std::optional(Aggregate{.count = *size}) : std::nullopt;
}
std::string BucketsArguments(const Aggregate& a) { return fmt::format(":{}", a.count); }
/// A sender spoils its own bucket alone.
size_t BucketsTolerate(const Aggregate& a, size_t senders) { return ((senders + a.count - 1) / a.count - 1) / 2; }
std::string BucketsMisfit(const Aggregate& a, size_t senders) {
  if (senders < 3) return senders > 1 && a.count >= senders ? "is one bucket; expected smaller ones, or mean" : "";
  if ((senders + a.count - 1) / a.count >= 3) return "";
  return "has fewer than three buckets, whose median is a mean; expected smaller ones, or mean";
}

/// tau, and perhaps steps, 1 to 100.
std::optional<Aggregate> ReadClip(const Arguments& arguments) {
  constexpr size_t kMostSteps = 100;
  if (arguments.empty() || arguments.size() > 2) return std::nullopt;
  const auto tau = ReadNumber(arguments[0]);
  const auto steps = arguments.size() == 2 ? ReadPositive(arguments[1]) : std::optional<size_t>(1);
  if (!tau || !(*tau > 0) || !steps || *steps > kMostSteps) return std::nullopt;
  return Aggregate{.number = *tau, .count = *steps};
}
std::string ClipArguments(const Aggregate& a) {
  return fmt::format(":{:.12g}{}", a.number, a.count > 1 ? fmt::format(":{}", a.count) : "");
}

size_t FewerThanHalf(const Aggregate&, size_t senders) { return (senders - 1) / 2; }
size_t Nobody(const Aggregate&, size_t) { return 0; }
size_t All(const Aggregate&, size_t senders) { return senders; }
std::string Fits(const Aggregate&, size_t) { return ""; }

template <typename T>
void ApplyMedian(const Aggregate&, const Decoded<T>& decoded, std::span<T> out) {
  robust::Median(decoded, out);
}
template <typename T>
void ApplyTrimmed(const Aggregate& a, const Decoded<T>& decoded, std::span<T> out) {
  robust::TrimmedMean(decoded, CutOf(a, decoded.senders), out);
}
template <typename T>
void ApplyBuckets(const Aggregate& a, const Decoded<T>& decoded, std::span<T> out) {
  robust::MedianOfBuckets(decoded, a.count, out);
}
template <typename T>
void ApplyClip(const Aggregate& a, const Decoded<T>& decoded, std::span<T> out) {
  robust::CentredClip(decoded, a.number, a.count, out);
}
template <typename T>
void ApplyCap(const Aggregate&, const Decoded<T>& decoded, std::span<T> out) {
  robust::NormCap(decoded, out);
}

}  // namespace

const std::vector<AggregateRule>& AggregateRules() {
  static const std::vector<AggregateRule> rules = {
      {.form = "mean",
       .example = "mean",
       .summary = "the mean, which one sender can put anywhere",
       .source = "",
       .read = ReadNothing,
       .arguments = NoArguments,
       .tolerates = Nobody,
       .misfit = Fits},
      {.form = "median",
       .example = "median",
       .summary = "of each coordinate the middle value, of an even number the mean of the two in the middle",
       .source = "Yin et al. 2018, arXiv 1803.01498",
       .promise = Promise::kRange,
       .read = ReadNothing,
       .arguments = NoArguments,
       .tolerates = FewerThanHalf,
       .misfit = Fits,
       .f32 = ApplyMedian<float>,
       .f64 = ApplyMedian<double>},
      {.form = "trimmed:F",
       .example = "trimmed:1",
       .summary = "of each coordinate the mean of all but the F largest and the F least values (2), or a share (10%)",
       .source = "Yin et al. 2018, arXiv 1803.01498",
       .promise = Promise::kRange,
       .read = ReadTrimmed,
       .arguments = TrimmedArguments,
       .tolerates = CutOf,
       .misfit = TrimmedMisfit,
       .f32 = ApplyTrimmed<float>,
       .f64 = ApplyTrimmed<double>},
      {.form = "buckets:S",
       .example = "buckets:2",
       .summary = "the median of the means of S senders each, drawn anew in each round, the same for all ranks",
       .source = "Karimireddy, He, Jaggi 2022, arXiv 2006.09365",
       .promise = Promise::kRange,
       .draws = true,
       .read = ReadBuckets,
       .arguments = BucketsArguments,
       .tolerates = BucketsTolerate,
       .misfit = BucketsMisfit,
       .f32 = ApplyBuckets<float>,
       .f64 = ApplyBuckets<double>},
      {.form = "centred_clip:TAU[:STEPS]",
       .example = "centred_clip:10",
       .summary = "the aggregate of the round before and the mean of the differences to it, each cut to the length TAU",
       .source = "Karimireddy, He, Jaggi 2021, arXiv 2012.10333",
       .promise = Promise::kStep,
       .remembers = true,
       .read = ReadClip,
       .arguments = ClipArguments,
       .tolerates = All,
       .misfit = Fits,
       .f32 = ApplyClip<float>,
       .f64 = ApplyClip<double>},
      {.form = "norm_cap",
       .example = "norm_cap",
       .summary = "the mean of the messages, each scaled to at most their median norm",
       .source = "",
       .promise = Promise::kNorm,
       .read = ReadNothing,
       .arguments = NoArguments,
       .tolerates = FewerThanHalf,
       .misfit = Fits,
       .f32 = ApplyCap<float>,
       .f64 = ApplyCap<double>},
  };
  return rules;
}

std::string_view TextOf(Promise promise) {
  switch (promise) {
    case Promise::kNone: return "nothing holds where one is wrong";
    case Promise::kRange: return "each element stays within the range of the others'";
    case Promise::kNorm: return "the norm stays below the others' largest";
    case Promise::kStep: return "it moves by at most TAU x STEPS a round";
  }
  throw Error("AggregateRule: no such promise");
}

template <typename T>
void Combine(const Aggregate& aggregate, const Decoded<T>& decoded, std::span<T> out) {
  if constexpr (sizeof(T) == sizeof(float))
    aggregate.rule->f32(aggregate, decoded, out);
  else
    aggregate.rule->f64(aggregate, decoded, out);
}

void DrawOrder(uint64_t seed, uint64_t draw, std::span<uint32_t> order) {
  Philox random(seed, Purpose::kAggregate, 0, draw);
  std::iota(order.begin(), order.end(), 0u);
  for (size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[random.Below(static_cast<uint32_t>(left))]);
}

template void Combine(const Aggregate&, const Decoded<float>&, std::span<float>);
template void Combine(const Aggregate&, const Decoded<double>&, std::span<double>);

}  // namespace gradwire
