// SPDX-License-Identifier: Apache-2.0
#pragma once

// Error feedback loses nothing: for each element, sum over ranks and steps of the gradients
//   = n * sum of the results + sum over ranks of the memory e,
// also when DDP rebuilds its buckets on the way.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/philox.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"

namespace gradwire::testing {

/// What one trial is made of.
struct Trial {
  Combination combination;
  std::vector<Parameter> parameters;
  std::vector<Layout> layouts;  ///< one after another
  uint64_t steps_each = 5;      ///< steps with one layout
  int workers = 3;
  uint64_t seed = 1;
};

/// Both sides of the equation, element after element of all parameters, as one rank adds to them.
struct Ledger {
  explicit Ledger(const std::vector<Parameter>& parameters) {
    size_t numel = 0;
    for (const Parameter& parameter : parameters) numel += parameter.numel();
    gradients.resize(numel), results.resize(numel), memory.resize(numel);
  }
  std::vector<long double> gradients, results, memory;
  double largest = 0;  ///< magnitude that a gradient plus its memory reached
};

template <typename T>
void FillGradients(const Trial& trial, int rank, uint64_t step, Buckets<T>& buckets) {
  Philox random(trial.seed, Purpose::kSynthetic, static_cast<uint64_t>(rank), step);
  for (uint32_t p = 0; p < trial.parameters.size(); ++p)
    for (T& x : buckets.Of(p)) {
      const int exponent = static_cast<int>(random.Below(8));
      x = static_cast<T>(std::ldexp(random.Uniform() - 0.4, exponent));
    }
}

template <typename T>
void AddStep(const Trial& trial, Buckets<T>& buckets, StateStore<T>& state, DirectSink<T>& sink, uint64_t step,
             Ledger& ledger) {
  size_t at = 0;
  for (uint32_t p = 0; p < trial.parameters.size(); ++p)
    for (size_t i = 0; i < buckets.Of(p).size(); ++i, ++at) {
      ledger.gradients[at] += buckets.Of(p)[i];
      const double reached = std::abs(buckets.Of(p)[i]) + std::abs(state.Vector(p, "e")[i]);
      ledger.largest = std::max(ledger.largest, reached);
    }
  buckets.Exchange(sink, step);
  at = 0;
  for (uint32_t p = 0; p < trial.parameters.size(); ++p)
    for (const T x : buckets.Of(p)) ledger.results[at++] += x;
}

template <typename T>
Ledger LedgerOf(const Trial& trial, Collective& collective) {
  Exchange<T> exchange(collective, trial.parameters, MakeParts(trial.combination.Config(), trial.seed));
  DirectSink<T> sink(exchange);
  Ledger ledger(trial.parameters);
  uint64_t step = 0;
  for (const Layout& layout : trial.layouts) {
    Buckets<T> buckets(trial.parameters, layout);
    for (const uint64_t end = step + trial.steps_each; step < end; ++step) {
      FillGradients(trial, collective.rank(), step, buckets);
      AddStep(trial, buckets, exchange.state(), sink, step, ledger);
    }
  }
  size_t at = 0;
  for (uint32_t p = 0; p < trial.parameters.size(); ++p)
    for (const T x : exchange.state().Vector(p, "e")) ledger.memory[at++] = x;
  return ledger;
}

/// The largest |left side - right side|, as a share of what rounding explains. With M the largest magnitude of
/// u = g + e and |C(u)| <= 2 M, a step rounds u and the new e once on each of n ranks (n eps M together), and the mean
/// n products and n sums at up to 2 M, which count n times: n (2 + n) eps M. In all n (n + 3) eps M a step.
template <typename T>
double Imbalance(const Trial& trial) {
  std::vector<Ledger> ledgers(static_cast<size_t>(trial.workers), Ledger(trial.parameters));
  RunRanks(trial.workers, [&](Collective& collective) {
    ledgers[static_cast<size_t>(collective.rank())] = LedgerOf<T>(trial, collective);
  });
  double largest = 0;
  for (const Ledger& ledger : ledgers) largest = std::max(largest, ledger.largest);
  const double n = trial.workers, steps = static_cast<double>(trial.steps_each * trial.layouts.size());
  const double tolerance = steps * n * (n + 3) * std::numeric_limits<T>::epsilon() * largest;
  long double worst = 0;
  for (size_t i = 0; i < ledgers[0].results.size(); ++i) {
    long double difference = -n * ledgers[0].results[i];
    for (const Ledger& ledger : ledgers) difference += ledger.gradients[i] - ledger.memory[i];
    worst = std::max(worst, std::abs(difference));
  }
  return static_cast<double>(worst) / tolerance;
}

}  // namespace gradwire::testing
