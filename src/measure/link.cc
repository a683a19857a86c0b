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

/// Of the slowest rank, from what each has measured of short and long operations. A pause in a short one does not make
/// the link endlessly fast: a long one is at least half its bytes.
LinkSpeed Slowest(Collective& collective, const std::vector<double>& short_s, const std::vector<double>& long_s,
                  double bytes) {
  const double mine[] = {std::ranges::min(short_s), MedianInterval(long_s).median};
  const std::vector<double> slowest = LargestOf(collective, mine);
  return {slowest[0], bytes / std::max({slowest[1] - slowest[0], slowest[1] / 2, 1e-9})};
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
  return Slowest(collective, short_s, long_s, static_cast<double>(bytes * peers));
}

LinkSpeed MeasureSums(Collective& collective, const std::function<void(std::span<float>)>& sum, size_t numel,
                      size_t rounds) {
  const auto n = static_cast<double>(collective.size());
  if (n < 2) return {0, std::numeric_limits<double>::infinity()};
  std::vector<float> values(numel);
  const auto once = [&](size_t count) {
    Barrier(collective);
    double seconds = 0;
    {
      const Timer timer(seconds);
      sum(std::span(values).first(count));
    }
    return seconds;
  };
  std::vector<double> short_s, long_s;
  for (size_t round = 0; round < rounds; ++round) short_s.push_back(once(1)), long_s.push_back(once(numel));
  return Slowest(collective, short_s, long_s, 2 * (n - 1) / n * static_cast<double>(numel * sizeof(float)));
}

std::vector<double> LargestOf(Collective& collective, std::span<const double> mine) {
  // Sums over the ranks of one-hot places: every rank learns what each has measured.
  const auto size = static_cast<size_t>(collective.size()), rank = static_cast<size_t>(collective.rank());
  std::vector<double> all(size * mine.size());
  std::ranges::copy(mine, all.begin() + static_cast<std::ptrdiff_t>(rank * mine.size()));
  collective.Finish(collective.StartAllReduce(std::span(all)));
  std::vector<double> largest(mine.size());
  for (size_t i = 0; i < all.size(); ++i) largest[i % mine.size()] = std::max(largest[i % mine.size()], all[i]);
  return largest;
}

}  // namespace gradwire
