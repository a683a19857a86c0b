// SPDX-License-Identifier: Apache-2.0
// Noise for differential privacy is on the wire alone.
#include <cmath>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/convex.h"

namespace gradwire {
namespace {

/// With constant zero gradients, n workers and T rounds, the receiver's shift is N(0, T alpha^2 sigma^2 / n I)
/// (METHODS M27: T = 50, alpha = 0.3, sigma = 0.7, n = 5 give 0.441), and the senders' shifts are 0.
TEST(Noise, AddsUpAtTheReceiverAndNowhereElse) {
  constexpr size_t kNumel = 20000;
  CommConfig comm = testing::Comm("clip21_sgd2m", "clip:1");
  comm.alpha = "0.3", comm.noise = 0.7, comm.piece = "tensor";
  double square = 0, sum = 0, own = 0;
  testing::RunRanks(5, [&](Collective& collective) {
    Exchange<double> exchange(collective, {{"x", {kNumel}}}, MakeParts(comm, /*seed=*/4));
    DirectSink<double> sink(exchange);
    std::vector<double> values(kNumel);
    const Segment segment{0, 0, kNumel};
    for (uint64_t step = 0; step < 50; ++step) {
      std::ranges::fill(values, 0);
      PushAndWait<double>(sink, step, {0, {&segment, 1}, values});
    }
    if (collective.rank() != 0) return;
    for (const double v : values) sum += v, square += v * v;
    own = exchange.state().SquaredNorm("h");
  });
  const double n = kNumel, variance = 50 * 0.3 * 0.3 * 0.7 * 0.7 / 5;
  EXPECT_NEAR(variance, 0.441, 1e-12);
  EXPECT_NEAR(square / n, variance, 5 * variance * std::sqrt(2 / n));  // 5 standard errors
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n));
  EXPECT_EQ(own, 0);
}

TEST(Noise, NeedsAnOperatorThatSendsNumbers) {
  CommConfig comm = testing::Comm("ef", "sign");
  comm.noise = 1;
  EXPECT_THROW(Check(comm), ConfigError);
}

}  // namespace
}  // namespace gradwire
