// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace gradwire {

/// What the operators' work costs in an exchange, as a multiple of what it costs by itself: threads change places,
/// frames are summed up, and caches are the backward pass's. Two ranks on two cores over loopback took 52 ms for 31 ms
/// of ef + sign's work, and 307 for 210 of qsgd:7's.
inline constexpr double kWorkInExchange = 1.6;

/// What carries gradients, as all ranks use it at once: the slowest rank's numbers.
struct LinkCosts {
  double latency_s = 0;        ///< of an exchange of nothing with every other rank
  double bytes_per_s = 0;      ///< of messages, that a rank sends to all others together, and receives
  double sum_latency_s = 0;    ///< of an all-reduce of nothing
  double sum_bytes_per_s = 0;  ///< of a dense all-reduce: 2 (n-1)/n of its bytes a second
};

/// How gradients would be exchanged, on each rank, and what is known of it. Bytes are those that a rank sends in a
/// step.
struct CostQuestion {
  int ranks = 2;
  /// Ranks that share what was measured for one of them; 1: all of them were measured at once.
  int ranks_per_host = 1;
  LinkCosts link;
  uint64_t dense_bytes = 0;       ///< of the all-reduce of a dense exchange
  uint64_t compressed_bytes = 0;  ///< of the messages
  bool is_summed = false;         ///< the messages are summed by an all-reduce as well
  double encode_s = 0;            ///< of a rank's own gradient, residual included, by itself
  double decode_s = 0;            ///< of all that it receives and its own, by itself
  double backward_s = 0;          ///< time beside which bytes may travel; 0 where it is not known
};

/// Seconds that a step is longer for its exchange.
struct CostAnswer {
  double dense_s = 0, compressed_s = 0;
  double work_s = 0;  ///< of compressed_s, what no backward pass hides
  bool pays = false;
  std::string reason;  ///< a sentence with these numbers
};

/// A pure function: the same numbers give the same answer. Bytes travel beside the backward pass as long as it lasts;
/// encoding and decoding take the cores that it needs, and are hidden by nothing. Compression pays where it is faster
/// even if it took 1.1 times as long, and sends less: dense is what costs nothing to stay with. So a faster link never
/// makes compression pay that did not on a slower one, and neither do more compressed bytes.
CostAnswer Judge(const CostQuestion& question);

/// "1.25 ms", "3.1 s", "12 us".
std::string TimeText(double seconds);

}  // namespace gradwire
