// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gradwire/collective.h"
#include "measure/link.h"
#include "measure/statistics.h"
#include "train/bench/exchange_options.h"

namespace gradwire::train {

/// Where an exchange's time went so far, in seconds, and what it sent. encode and decode are the exchange's thread's,
/// wire is the sum of its buckets' waits, and they go on together, and beside backward; wait is from a step's last
/// bucket to its last result, which nothing hides.
struct ExchangeCost {
  double encode_s = 0, wire_s = 0, decode_s = 0;
  uint64_t bytes = 0;
  std::optional<double> wait_s = {};  ///< empty where a door does not say
};

/// One way of exchanging gradients, on one rank. Whoever times it knows neither DDP nor Python.
class Variant {
 public:
  virtual ~Variant() = default;
  /// A gradient of the model and its exchange, from the forward pass until the means are there.
  virtual void Step() = 0;
  /// Totals; zeros of what another exchanges.
  virtual ExchangeCost Cost() = 0;
  /// A hash of the bits that the last step left.
  virtual uint64_t Fingerprint() = 0;
};

/// What was measured of a variant, on this rank: of a step, in each round the median of a turn's steps.
struct VariantTimes {
  std::string name;
  size_t steps = 0;  ///< of a turn
  std::vector<double> seconds;
  ExchangeCost cost;           ///< of a step
  double interface_bytes = 0;  ///< that left by the interface in a step, headers and acknowledgements too
};

/// Passes over the model's gradients by all ranks at once, in seconds.
struct PassTimes {
  double read_s = 0, write_s = 0, update_s = 0;
};

struct ExchangeTimes {
  std::string interface;  ///< of rank 0
  LinkSpeed link;
  PassTimes passes;
  std::vector<VariantTimes> variants;
};

/// Bytes that have left by the interface since it is there, of /proc/net/dev; 0 where there is none of that name.
uint64_t SentBy(const std::string& interface);

/// Times the variants in `rounds` rounds, in each of which every one has a turn of some steps; the order is shuffled,
/// the same on all ranks. Before that each warms up, and its ranks must have got the same bits, but for the floor's:
/// throws Error that names it where they differ. `specs`: those of the variants. All ranks call it alike.
ExchangeTimes TimeExchanges(Collective& collective, const std::vector<VariantSpec>& specs,
                            const std::vector<std::unique_ptr<Variant>>& variants, const ExchangeOptions& options,
                            const std::string& interface);

}  // namespace gradwire::train
