// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gradwire {

struct AggregateRule;

/// What receivers make of the decoded messages of all senders: their mean, or what stays near the honest ones where
/// some are wrong. A rule of src/message/aggregate_rules.h with its numbers; what it works on is a piece, so that norms
/// are those of a piece. Immutable.
struct Aggregate {
  const AggregateRule* rule = nullptr;  ///< null: the mean, summed while messages are decoded
  double number = 0;                    ///< trimmed: the share that is cut on each side; centred_clip: tau
  size_t count = 0;                     ///< trimmed: senders that are cut; buckets: of a bucket; centred_clip: steps

  bool is_mean() const { return rule == nullptr; }
  /// Whether receivers keep the aggregate of the round before.
  bool remembers() const;
  /// Of so many senders, how many may send anything while what the rule promises (AggregateRule::promise) holds.
  size_t Tolerates(size_t senders) const;
  /// Throws ConfigError ("comm.aggregate: ...") where it leaves nothing of so many senders, or is but their mean.
  void Check(size_t senders) const;
  /// "mean", "median", "trimmed:2", "trimmed:20%", "centred_clip:10:3".
  std::string text() const;
};

/// The aggregate of such a text. Throws ConfigError ("found ..., expected ...").
Aggregate ParseAggregate(std::string_view text);

/// "mean, median, trimmed:F, ...": what there is.
std::string AggregateForms();

}  // namespace gradwire
