// SPDX-License-Identifier: Apache-2.0
#include "train/bench/goals.h"

#include <algorithm>

namespace gradwire::train {

// Where the numbers come from: for each kind of operator the best schedule was written by hand and measured against
// passes over the same vectors in the same rounds, on AMD's Zen 5 (AVX-512 and AVX2), with 25 and 45 MB, one thread and
// two. A limit is that multiple with 8 to 15 % of slack. On Intel's Sapphire Rapids the same schedules take a larger
// multiple of an update, which is cheaper there relative to a copy: that is the column `intel`. Casts are held to
// shares of a copy's bandwidth: they move 6 bytes an element and a copy 8, so 0.7 and 0.85 of it are 1.07 and 0.88 of
// its time. The same hands wrote nothing for NEON, which therefore has no limits, and the scalar kernels are the
// specification.
const std::vector<Goal>& Goals() {
  using Kind = Task::Kind;
  constexpr Task kEncode{Kind::kEncode}, kFeedback{Kind::kFeedback}, kFirst{Kind::kFirst};
  const auto decode = [](size_t payloads) { return Task{Kind::kDecode, payloads}; };
  using enum Roofline;
  static const std::vector<Goal> goals = {
      {2, "sign", kFeedback, kUpdate, 1.15, 1.15, 1.25},
      {4, "sign", decode(2), kWrite, 1.25, 1.25},
      {4, "sign", decode(4), kWrite, 1.25, 1.25},
      {5, "sign", decode(8), kWrite, 1.5, 3.4},
      {6, "topk:1%", kFeedback, kUpdate, 1.35, 1.6, 1.5},
      {7, "topk:0.1%", kFeedback, kUpdate, 1.2, 1.2},
      {8, "topk:1%", kFirst, kUpdate, 3.3, 3.3},
      {11, "topk:1%", decode(8), kWrite, 1.5, 1.5},
      {11, "topk:0.1%", decode(8), kWrite, 1.0, 1.0},
      {12, "qsgd:127", kEncode, kRead, 1.6, 1.75},
      {12, "qsgd:7", kEncode, kRead, 1.6, 1.75},
      {13, "qsgd:127", kFeedback, kUpdate, 1.4, 1.4},
      {13, "qsgd:7", kFeedback, kUpdate, 1.4, 1.4},
      {15, "natural", kEncode, kRead, 1.6, 1.6},
      {15, "ssign", kEncode, kRead, 1.8, 2.5},
      {16, "randk:1%", kFeedback, kUpdate, 1.08, 1.08},
      {16, "randk:1%", kEncode, kRead, 0.4, 0.4},
      {17, "bf16", kEncode, kCopy, 1.07, 1.07},
      {17, "fp16", kEncode, kCopy, 1.07, 1.07},
      {17, "bf16", decode(1), kCopy, 0.88, 0.88},
      {17, "fp16", decode(1), kCopy, 0.88, 0.88},
      {18, "qsgd:127", decode(1), kWrite, 1.25, 1.25},
      {18, "qsgd:7", decode(1), kWrite, 1.25, 1.25},
  };
  return goals;
}

std::optional<double> LimitOf(const Goal& goal, std::string_view isa, std::string_view vendor) {
  double limit = isa == "avx512" ? goal.avx512 : isa == "avx2" ? goal.avx2 : 0;
  if (limit == 0) return std::nullopt;
  if (vendor == "GenuineIntel") limit = std::max(limit, goal.intel);
  return limit;
}

Verdict Judge(const Interval& ratio, double limit) {
  if (ratio.low > limit) return Verdict::kMissed;
  return ratio.high > limit ? Verdict::kOpen : Verdict::kMet;
}

std::string_view NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMet: return "met";
    case Verdict::kOpen: return "open";
    case Verdict::kMissed: return "MISSED";
  }
  return "";
}

}  // namespace gradwire::train
