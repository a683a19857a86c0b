// SPDX-License-Identifier: Apache-2.0
// Error feedback loses nothing: for each element, sum over ranks and steps of the gradients
//   = n * sum of the results + sum over ranks of the memory e,
// also when DDP rebuilds its buckets on the way.
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

/// What one trial is made of.
struct Trial {
  testing::Combination combination;
  std::vector<Parameter> parameters;
  std::vector<testing::Layout> layouts;  ///< one after another
  uint64_t steps_each = 5;               ///< steps with one layout
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
void FillGradients(const Trial& trial, int rank, uint64_t step, testing::Buckets<T>& buckets) {
  Philox random(trial.seed, Purpose::kSynthetic, static_cast<uint64_t>(rank), step);
  for (uint32_t p = 0; p < trial.parameters.size(); ++p)
    for (T& x : buckets.Of(p)) {
      const int exponent = static_cast<int>(random.Below(8));
      x = static_cast<T>(std::ldexp(random.Uniform() - 0.4, exponent));
    }
}

template <typename T>
void AddStep(const Trial& trial, testing::Buckets<T>& buckets, StateStore<T>& state, DirectSink<T>& sink, uint64_t step,
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
  for (const testing::Layout& layout : trial.layouts) {
    testing::Buckets<T> buckets(trial.parameters, layout);
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
  testing::RunRanks(trial.workers, [&](Collective& collective) {
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

class Conservation : public ::testing::TestWithParam<testing::Combination> {
 protected:
  /// Parameters of one piece and of several, dense ones among them; buckets rebuilt in another order and number.
  Trial ThroughARebuild() const {
    return {GetParam(),
            {{"conv", {70, 31}}, {"bias", {70}}, {"two_pieces", {257, 300}}, {"small", {7, 11}}, {"fc", {1300, 1}}},
            {{{4, 3}, {2, 1, 0}}, {{1, 4}, {3}, {0, 2}}, {{0, 1, 2, 3, 4}}}};
  }
};

TEST_P(Conservation, OfFloatsThroughRebuiltBuckets) { EXPECT_LE(Imbalance<float>(ThroughARebuild()), 1); }
TEST_P(Conservation, OfDoublesThroughRebuiltBuckets) { EXPECT_LE(Imbalance<double>(ThroughARebuild()), 1); }

INSTANTIATE_TEST_SUITE_P(, Conservation, ::testing::ValuesIn(testing::Combinations({"ef"})),
                         [](const auto& info) { return testing::NameOf(info.param); });

/// Some order of the parameters, cut into buckets somewhere.
testing::Layout AnyLayout(size_t parameters) {
  std::vector<uint32_t> order(parameters);
  for (uint32_t p = 0; p < parameters; ++p) order[p] = p;
  for (size_t i = parameters; i > 1; --i) std::swap(order[i - 1], order[*rc::gen::inRange<size_t>(0, i)]);
  testing::Layout layout(1);
  for (const uint32_t p : order) {
    if (!layout.back().empty() && *rc::gen::arbitrary<bool>()) layout.emplace_back();
    layout.back().push_back(p);
  }
  return layout;
}

TEST(ConservationProperty, HoldsForAnyParametersLayoutsAndWorkers) {
  EXPECT_TRUE(rc::check("error feedback conserves", [] {
    Trial trial;
    trial.combination = *rc::gen::elementOf(testing::Combinations({"ef"}));
    const auto count = *rc::gen::inRange<size_t>(1, 6);
    for (size_t p = 0; p < count; ++p)
      trial.parameters.push_back(
          {std::string(p + 1, 'p'), {*rc::gen::inRange<int64_t>(1, 3000), *rc::gen::inRange<int64_t>(1, 3)}});
    const auto layouts = *rc::gen::inRange<size_t>(1, 4);
    for (size_t i = 0; i < layouts; ++i) trial.layouts.push_back(AnyLayout(count));
    trial.steps_each = *rc::gen::inRange<uint64_t>(1, 5);
    trial.workers = *rc::gen::inRange(1, 5);
    trial.seed = *rc::gen::arbitrary<uint64_t>();
    RC_ASSERT(Imbalance<float>(trial) <= 1);
  }));
}

}  // namespace
}  // namespace gradwire
