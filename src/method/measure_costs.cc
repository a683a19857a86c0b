// SPDX-License-Identifier: Apache-2.0
#include "method/measure_costs.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/timer.h"
#include "exchange/topologies.h"
#include "measure/link.h"
#include "measure/memory.h"
#include "measure/operator_trial.h"

namespace gradwire {
namespace {

constexpr size_t kFirstBytes = size_t{1} << 14, kMostBytes = size_t{1} << 24;
constexpr size_t kGrowth = 4, kRounds = 3;
constexpr double kSlowBytes = 1.5e8;             // a second: from there on down a ring's sums wait for the link
constexpr size_t kMostSample = size_t{1} << 21;  // floats: 8 MB each of gradient, residual and mean
constexpr size_t kPayloads = 4;                  // decoded together, at most
constexpr double kMostRounds = 9;

double TimeOf(const std::function<void()>& work) {
  double seconds = 0;
  {
    const Timer timer(seconds);
    work();
  }
  return seconds;
}

/// `measure(bytes)` of growing size, and the best of some of the last: what a machine's other work costs is no property
/// of the link. What is next is decided by the time that the slowest rank has spent, which all of them know.
template <typename Measure>
LinkSpeed Grow(Collective& collective, double seconds, Measure measure) {
  double spent = 0;
  LinkSpeed best;
  size_t bytes = kFirstBytes;
  for (size_t rounds = 0; rounds < kRounds;) {
    LinkSpeed speed;
    const double mine[] = {TimeOf([&] { speed = measure(bytes); })};
    const double once = LargestOf(collective, mine)[0];
    spent += once;
    const bool is_first = rounds == 0;
    best = is_first
               ? speed
               : LinkSpeed{std::min(best.latency_s, speed.latency_s), std::max(best.bytes_per_s, speed.bytes_per_s)};
    if (is_first && bytes < kMostBytes && spent + (1 + kRounds) * kGrowth * once < seconds) {
      bytes *= kGrowth;
      continue;
    }
    ++rounds;
    if (spent + once > seconds) break;
  }
  return best;
}

/// Seconds an element of one operator: encoding, decoding of so many payloads, and what comes before both.
struct Rates {
  double encode_s = 0, decode_s = 0, prepare_s = 0;
};

Rates TimeSample(const std::string& spec, size_t numel, size_t payloads, bool remembers, double seconds) {
  Floats v(numel), residual(numel), mean(numel);
  OperatorTrial trial(spec, numel, payloads);
  const auto encode = [&](size_t worker) {
    if (remembers)
      trial.EncodeWithFeedback(worker, v.values(), residual.span());
    else
      trial.Encode(worker, v.values());
  };
  const double prepare_s = TimeOf([&] {
    FillWithGradient(v.span(), 1);
    std::ranges::reverse_copy(v.values(), residual.span().begin());
    for (size_t worker = 1; worker < payloads; ++worker) encode(worker);
  });
  std::vector<double> encode_s, decode_s;
  for (double spent = 0; encode_s.size() < kMostRounds && (encode_s.empty() || spent < seconds);) {
    encode_s.push_back(TimeOf([&] { encode(0); }));
    decode_s.push_back(TimeOf([&] { trial.Decode(payloads, mean.span()); }));
    spent += encode_s.back() + decode_s.back();
  }
  const auto n = static_cast<double>(numel);
  return {std::ranges::min(encode_s) / n, std::ranges::min(decode_s) / n, prepare_s / n};
}

/// A sample as large as the time allows, by the time that a piece takes.
Rates RatesOf(const Compressor& compressor, size_t numel, size_t payloads, bool remembers, double seconds) {
  const size_t piece = std::min(numel, kPieceNumel);
  const Rates first = TimeSample(compressor.spec(), piece, payloads, remembers, 0);
  const double an_element = first.prepare_s + 2 * (first.encode_s + first.decode_s);
  const double fits = seconds / 2 / std::max(an_element, 1e-12);
  if (fits < 2 * static_cast<double>(piece) || numel <= piece) return first;
  const size_t sample = std::min({numel, kMostSample, static_cast<size_t>(fits)});
  return TimeSample(compressor.spec(), sample, payloads, remembers, seconds / 2);
}

}  // namespace

LinkCosts MeasureLinkCosts(Collective& collective, const DenseSum& sum, double seconds) {
  const size_t peers = static_cast<size_t>(std::max(collective.size() - 1, 1));
  const LinkSpeed messages = Grow(collective, seconds / 2, [&](size_t bytes) {
    return MeasureLink(collective, std::max<size_t>(bytes / peers, 1), 1);
  });
  LinkCosts costs{messages.latency_s, messages.bytes_per_s, messages.latency_s, messages.bytes_per_s};
  if (messages.bytes_per_s < kSlowBytes) return costs;
  const LinkSpeed sums = Grow(collective, seconds / 2,
                              [&](size_t bytes) { return MeasureSums(collective, sum, bytes / sizeof(float), 1); });
  costs.sum_latency_s = sums.latency_s, costs.sum_bytes_per_s = sums.bytes_per_s;
  return costs;
}

OperatorCosts MeasureOperatorCosts(const ExchangeParts& parts, size_t numel, int ranks, double seconds) {
  const Topology& topology = FindTopology(parts.topology);
  const auto n = static_cast<double>(std::max(ranks, 1));
  const size_t payloads = std::min(static_cast<size_t>(n), kPayloads);
  const double share = seconds / (1.0 + (parts.learner != nullptr) + (parts.down_compressor != nullptr));
  // Of n payloads each, of one in all, or of the sum alone.
  const double decodes = topology.has_owners || topology.sums ? 1 : n;
  const auto rates = [&](const Compressor& compressor, bool remembers) {
    Rates found = RatesOf(compressor, numel, payloads, remembers, share);
    found.decode_s /= static_cast<double>(payloads);
    return found;
  };
  const Rates up = rates(*parts.compressor, parts.link.remembers());
  OperatorCosts costs{up.encode_s, decodes * up.decode_s};
  if (parts.learner) {
    const Rates learner = rates(*parts.learner, false);
    costs.encode_s += learner.encode_s, costs.decode_s += decodes * learner.decode_s;
  }
  if (parts.down_compressor) {  // an owner encodes its share, and all decode all of it
    const Rates down = rates(*parts.down_compressor, parts.down.remembers());
    costs.encode_s += down.encode_s / n, costs.decode_s += down.decode_s;
  }
  const double scale = static_cast<double>(numel) / static_cast<double>(std::max<size_t>(parts.threads, 1));
  costs.encode_s *= scale, costs.decode_s *= scale;
  return costs;
}

}  // namespace gradwire
