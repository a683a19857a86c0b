// SPDX-License-Identifier: Apache-2.0
#include "train/bench/exchange_rounds.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>

#include <fmt/format.h>

#include "base/timer.h"
#include "gradwire/error.h"
#include "measure/memory.h"
#include "measure/rooflines.h"
#include "measure/rounds.h"

namespace gradwire::train {
namespace {

constexpr size_t kWarmUpSteps = 10;  // DDP makes its buckets anew after the first, and memories fill
constexpr double kWarmUpSeconds = 2, kTurnSeconds = 1;

/// The number that rank 0 has.
double OfRank0(Collective& collective, double value) {
  double shared = collective.rank() == 0 ? value : 0;
  collective.Finish(collective.StartAllReduce(std::span(&shared, 1)));
  return shared;
}

double TimeStep(Variant& variant) {
  double seconds = 0;
  {
    const Timer timer(seconds);
    variant.Step();
  }
  return seconds;
}

/// Returns the steps of a turn.
size_t WarmUp(Collective& collective, Variant& variant, const ExchangeOptions& options) {
  double step = 0;
  for (size_t i = 0; i < kWarmUpSteps; ++i) {
    Barrier(collective);
    step = OfRank0(collective, TimeStep(variant));
    if (i >= 1 && static_cast<double>(i + 1) * step > kWarmUpSeconds) break;
  }
  const auto fit = static_cast<size_t>(kTurnSeconds / std::max(step, 1e-9));
  return std::clamp<size_t>(fit, 1, options.steps);
}

void CheckReplicas(Collective& collective, Variant& variant, const std::string& name) {
  const std::vector<std::string> prints = collective.GatherText(std::to_string(variant.Fingerprint()));
  for (size_t rank = 1; rank < prints.size(); ++rank)
    if (prints[rank] != prints[0])
      throw Error(
          fmt::format("bench exchange: WRONG: {}: rank {} has other bits than rank 0 after the same step", name, rank));
}

PassTimes TimePasses(Collective& collective, size_t numel) {
  const Floats v(numel), out(numel);
  std::vector<Subject> subjects;
  for (const Roofline roofline : {Roofline::kRead, Roofline::kWrite, Roofline::kUpdate})
    subjects.push_back(
        {[&, roofline](size_t) { Pass(roofline, v.values(), out.span()); }, [&](size_t) { Barrier(collective); }});
  const auto times = TimeRounds(subjects, /*rounds=*/7, /*sets=*/1, Clock::kWall);
  return {MedianInterval(times[0]).median, MedianInterval(times[1]).median, MedianInterval(times[2]).median};
}

/// The difference, by `steps`.
ExchangeCost Share(const ExchangeCost& after, const ExchangeCost& before, double steps) {
  ExchangeCost cost{(after.encode_s - before.encode_s) / steps, (after.wire_s - before.wire_s) / steps,
                    (after.decode_s - before.decode_s) / steps,
                    static_cast<uint64_t>(std::llround(static_cast<double>(after.bytes - before.bytes) / steps))};
  if (after.wait_s) cost.wait_s = (*after.wait_s - before.wait_s.value_or(0)) / steps;
  return cost;
}

size_t NumelOf(const std::string& model) {
  size_t numel = 0;
  for (const auto& shape : ShapesOf(model))
    numel += static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  return numel;
}

class Rounds {
 public:
  Rounds(Collective& collective, const std::vector<std::unique_ptr<Variant>>& variants, const std::string& interface)
      : collective_(collective),
        variants_(variants),
        interface_(interface),
        before_(variants.size()),
        sent_(variants.size()) {}

  void Begin() {
    for (size_t i = 0; i < variants_.size(); ++i) before_[i] = variants_[i]->Cost();
  }

  void Turn(size_t i, VariantTimes& times) {
    Barrier(collective_);
    const uint64_t before = SentBy(interface_);
    std::vector<double> seconds;
    for (size_t step = 0; step < times.steps; ++step) seconds.push_back(TimeStep(*variants_[i]));
    Barrier(collective_);
    sent_[i] += SentBy(interface_) - before;
    times.seconds.push_back(MedianInterval(std::move(seconds)).median);
  }

  void End(size_t i, VariantTimes& times) {
    const auto steps = static_cast<double>(times.steps * times.seconds.size());
    times.cost = Share(variants_[i]->Cost(), before_[i], steps);
    const double ranks = interface_ == "lo" ? collective_.size() : 1;  // which all of them use
    times.interface_bytes = static_cast<double>(sent_[i]) / steps / ranks;
  }

 private:
  Collective& collective_;
  const std::vector<std::unique_ptr<Variant>>& variants_;
  const std::string interface_;
  std::vector<ExchangeCost> before_;
  std::vector<uint64_t> sent_;
};

}  // namespace

uint64_t SentBy(const std::string& interface) {
  std::ifstream in("/proc/self/net/dev");
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || line.substr(0, colon).find_last_of(' ') + 1 + interface.size() != colon ||
        !line.substr(0, colon).ends_with(interface))
      continue;
    std::istringstream numbers(line.substr(colon + 1));
    uint64_t number = 0;
    for (int column = 0; column < 9; ++column) numbers >> number;  // 8 columns of what came in, then bytes out
    return number;
  }
  return 0;
}

ExchangeTimes TimeExchanges(Collective& collective, const std::vector<VariantSpec>& specs,
                            const std::vector<std::unique_ptr<Variant>>& variants, const ExchangeOptions& options,
                            const std::string& interface) {
  ExchangeTimes times;
  times.interface = interface;
  for (size_t i = 0; i < variants.size(); ++i) {
    times.variants.push_back(
        {.name = specs[i].name, .steps = WarmUp(collective, *variants[i], options), .seconds = {}, .cost = {}});
    if (specs[i].kind != VariantSpec::Kind::kFloor) CheckReplicas(collective, *variants[i], specs[i].name);
  }
  constexpr size_t kLinkBytes = size_t{16} << 20, kLinkRounds = 5;
  times.link = MeasureLink(collective, kLinkBytes / static_cast<size_t>(collective.size() - 1), kLinkRounds);
  times.passes = TimePasses(collective, NumelOf(options.model));
  std::vector<size_t> order(variants.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937_64 random(1);
  Rounds rounds(collective, variants, interface);
  rounds.Begin();
  for (size_t round = 0; round < options.rounds; ++round) {
    std::ranges::shuffle(order, random);
    for (const size_t i : order) rounds.Turn(i, times.variants[i]);
  }
  for (size_t i = 0; i < variants.size(); ++i) rounds.End(i, times.variants[i]);
  return times;
}

}  // namespace gradwire::train
