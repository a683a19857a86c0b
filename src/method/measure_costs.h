// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>

#include "gradwire/collective.h"
#include "gradwire/exchange_parts.h"
#include "method/cost_model.h"

namespace gradwire {

/// Sums float32 over the ranks, in place, and waits for it.
using DenseSum = std::function<void(std::span<float>)>;

/// Messages and sums of growing size, until one takes long enough to be believed, or `seconds` are over. Where the link
/// is slow, sums are bound by it and take its rate. The same numbers on all ranks, which call it alike.
LinkCosts MeasureLinkCosts(Collective& collective, const DenseSum& sum, double seconds);

/// Of a gradient of `numel` float32, on `ranks` ranks.
struct OperatorCosts {
  double encode_s = 0, decode_s = 0;
};

/// Times the parts' operators at work on a sample that lies in no core's own cache, on this thread, for about
/// `seconds` at most (one encode and one decode of a piece of each in any case), and scales it to all elements and to
/// the parts' threads. What ranks of one host can do at once is measured where all of them call it at once.
OperatorCosts MeasureOperatorCosts(const ExchangeParts& parts, size_t numel, int ranks, double seconds);

}  // namespace gradwire
