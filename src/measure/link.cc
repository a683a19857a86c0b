// SPDX-License-Identifier: Apache-2.0
#include "measure/link.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/timer.h"
#include "measure/statistics.h"

namespace gradwire {
namespace {

/// Seconds of one exchange of so many bytes with every other rank.
double ExchangeOnce(Collective& collective, std::vector<std::byte>& out, std::vector<std::byte>& in, size_t bytes) {
  std::vector<Outgoing> outgoing;
  std::vector<Incoming> incoming;
  for (int peer = 0, place = 0; peer < collective.size(); ++peer) {
    if (peer == collective.rank()) continue;
    outgoing.push_back({peer, std::span(out).first(bytes)});
    incoming.push_back({peer, std::span(in).subspan(static_cast<size_t>(place++) * bytes, bytes)});
  }
  Barrier(collective);
  double seconds = 0;
  {
    const Timer timer(seconds);
    collective.Finish(collective.Start(outgoing, incoming));
  }
  return seconds;
}

}  // namespace

void Barrier(Collective& collective) {
  float one = 1;
  collective.Finish(collective.StartAllReduce(std::span(&one, 1)));
}

LinkSpeed MeasureLink(Collective& collective, size_t bytes, size_t rounds) {
  const size_t peers = static_cast<size_t>(collective.size()) - 1;
  if (peers == 0) return {0, std::numeric_limits<double>::infinity()};
  std::vector<std::byte> out(bytes, std::byte{0x5a}), in(bytes * peers);
  std::vector<double> short_s, long_s;
  for (size_t round = 0; round < rounds; ++round) {
    short_s.push_back(ExchangeOnce(collective, out, in, 1));
    long_s.push_back(ExchangeOnce(collective, out, in, bytes));
  }
  // Sums over the ranks of one-hot places: every rank learns what each has measured.
  const size_t size = peers + 1;
  std::vector<double> measured(2 * size);
  measured[2 * static_cast<size_t>(collective.rank())] = std::ranges::min(short_s);
  measured[2 * static_cast<size_t>(collective.rank()) + 1] = MedianInterval(long_s).median;
  collective.Finish(collective.StartAllReduce(std::span(measured)));
  LinkSpeed speed;
  double slowest = 0;
  for (size_t rank = 0; rank < size; ++rank) {
    speed.latency_s = std::max(speed.latency_s, measured[2 * rank]);
    slowest = std::max(slowest, measured[2 * rank + 1]);
  }
  speed.bytes_per_s = static_cast<double>(bytes * peers) / std::max(slowest - speed.latency_s, 1e-9);
  return speed;
}

}  // namespace gradwire
