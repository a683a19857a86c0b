// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "gradwire/collective.h"

namespace gradwire {

/// What carries bytes between the ranks of a collective, as this rank sees it while all of them use it.
struct LinkSpeed {
  double latency_s = 0;    ///< of an exchange of one byte with every other rank, or of a sum of one number; the least
  double bytes_per_s = 0;  ///< that a rank sends to all others together, and receives
};

/// Every rank sends `bytes` to each other one at once, `rounds` times. The medians of the slowest rank, the same
/// numbers on all. All ranks call it alike. Of one rank alone: no latency, and a rate of infinity. A bucket of tokens
/// (tbf) lets its burst through unshaped: take many times as many bytes.
LinkSpeed MeasureLink(Collective& collective, size_t bytes, size_t rounds);

/// The same of sums of `numel` float32 over all ranks: the rate is of the bytes that a ring sends, 2 (n-1)/n of them.
/// `sum`: what sums, in place, and waits for it; the collective tells the ranks what each has measured.
LinkSpeed MeasureSums(Collective& collective, const std::function<void(std::span<float>)>& sum, size_t numel,
                      size_t rounds);

/// The largest of each number over the ranks: every rank gives as many, finite and 0 or more, and gets the same ones.
std::vector<double> LargestOf(Collective& collective, std::span<const double> mine);

/// Waits until every rank has called it.
void Barrier(Collective& collective);

}  // namespace gradwire
