// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "train/bench/exchange_rounds.h"

namespace gradwire::train {

/// What rank 0 says at the end: a line for each variant. exchange = step - floor; speed-up = dense's exchange / this
/// one; both of the same rounds. The limit is bytes / rate + passes: the bytes that a rank sends at the link's measured
/// rate, an update of what the gradient is added to (a read where nothing is kept, nothing where nothing is encoded)
/// and a write of the mean.
std::string ExchangeTable(const ExchangeTimes& times, const std::vector<VariantSpec>& specs,
                          const ExchangeOptions& options);

/// The same numbers and all rounds; seconds and bytes.
std::string ExchangeJson(const ExchangeTimes& times, const std::vector<VariantSpec>& specs,
                         const ExchangeOptions& options);

}  // namespace gradwire::train
