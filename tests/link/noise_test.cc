// SPDX-License-Identifier: Apache-2.0
// Noise for differential privacy is on the wire alone.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

/// With constant zero gradients, n workers and T rounds, the receiver's shift is N(0, T alpha^2 sigma^2 / n I)
/// (Islamov et al. 2025, arXiv 2502.11682: T = 50, alpha = 0.3, sigma = 0.7, n = 5 give 0.441), and the senders' shifts
/// are 0.
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

std::string Refusal(CommConfig comm) {
  comm.noise = 1;
  try {
    Check(comm);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Noise, IsOnAllThatIsSentOrRefused) {
  EXPECT_THAT(Refusal(testing::Comm("ef", "sign")), HasSubstr("comm.noise: 1: sign does not send its elements"));
  EXPECT_THAT(Refusal(testing::Comm("none", "identity")), HasSubstr("comm.noise: 1: method none is plain gradients"));
  EXPECT_EQ(Refusal(testing::Comm("dcgd", "identity")), "accepted");
  EXPECT_EQ(Refusal(testing::Comm("clip21", "clip:1")), "accepted");
  CommConfig comm = testing::Comm("dcgd", "clip:1:piece");
  comm.min_compress_numel = 1;
  EXPECT_THAT(Refusal(comm), HasSubstr("fewer than 1 elements (comm.min_compress_numel) are sent as they are"));
  comm.min_compress_numel = 0, comm.compress_1d = false;
  EXPECT_THAT(Refusal(comm), HasSubstr("expected comm.min_compress_numel: 0 and comm.compress_1d: true"));
  comm.compress_1d = true, comm.start_iter = 2;
  EXPECT_THAT(Refusal(comm), HasSubstr("the first 2 steps (comm.start_iter)"));
  EXPECT_THAT(Refusal(testing::Comm("ef21", "clip:1")), HasSubstr("expected comm.opening: compressed"));
  comm = testing::Comm("marina", "identity");
  comm.opening = "compressed";
  EXPECT_THAT(Refusal(comm), HasSubstr("the dense rounds of method marina"));
  EXPECT_THAT(Refusal(testing::Comm("ec_diana", "clip:1")), HasSubstr("what teaches the shift of method ec_diana"));
}

/// Every parameter of a network, the smallest and one-dimensional ones too, also where a worker's piece is unused: no
/// element that crosses the wire is the one that was computed.
TEST(Noise, ReachesEveryElementOfEveryParameter) {
  const std::vector<Parameter> parameters = {{"weight", {40, 60}}, {"bias", {40}}, {"one", {1}}};
  CommConfig comm = testing::Comm("ef", "clip:1:piece");
  comm.noise = 0.5;
  testing::RunRanks(2, [&](Collective& collective) {
    ExchangeParts parts = MakeParts(comm, 3);
    parts.zeros_keep_memory = true;
    Exchange<float> exchange(collective, parameters, parts);
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(parameters, testing::OneBucket(parameters));
    for (const uint32_t p : {0u, 1u, 2u}) std::ranges::fill(buckets.Of(p), p == 1 ? 0.0f : 1e-3f);
    buckets.Exchange(sink, 0);
    for (const uint32_t p : {0u, 1u, 2u})
      for (const float x : buckets.Of(p)) EXPECT_NE(x, p == 1 ? 0.0f : 1e-3f) << parameters[p].name;
  });
}

}  // namespace
}  // namespace gradwire
