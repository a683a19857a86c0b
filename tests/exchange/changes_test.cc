// SPDX-License-Identifier: Apache-2.0
// MARINA's changes are of one batch at two points, where the driver tells the gradient at the first one.
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/convex.h"

namespace gradwire {
namespace {

/// g^0 = mean v^0, then g += mean (v - told), whatever the last round's v was.
TEST(Changes, AreOfTheGradientThatWasTold) {
  const std::vector<Parameter> parameters = {{"large", {70000, 1}}, {"small", {30, 50}}};
  CommConfig comm = testing::Comm("marina", "identity");
  comm.p = "0";
  const auto value = [](int worker, uint64_t round, bool told) {
    return std::sin(static_cast<double>(worker + 1) * static_cast<double>(2 * round + told + 1));
  };
  testing::RunRanks(3, [&](Collective& collective) {
    Exchange<double> exchange(collective, parameters, MakeParts(comm, 3));
    DirectSink<double> sink(exchange);
    testing::Buckets<double> buckets(parameters, testing::OneBucket(parameters));
    double expected = 0;
    for (uint64_t round = 0; round < 5; ++round) {
      EXPECT_EQ(exchange.IsDense(round), round == 0);
      for (const uint32_t p : {0u, 1u}) {
        const std::vector<double> told(parameters[p].numel(), value(collective.rank(), round, true));
        if (round > 0) exchange.SetPrevious(p, told);
        std::ranges::fill(buckets.Of(p), value(collective.rank(), round, false));
      }
      buckets.Exchange(sink, round);
      for (int w = 0; w < 3; ++w) expected += (value(w, round, false) - (round ? value(w, round, true) : 0)) / 3;
      ASSERT_NEAR(buckets.Of(0)[66000], expected, 1e-12) << round;
      ASSERT_NEAR(buckets.Of(1)[7], expected, 1e-12) << round;
    }
    std::vector<double> bad(parameters[1].numel());
    bad[3] = std::numeric_limits<double>::infinity();
    EXPECT_THROW(exchange.SetPrevious(1, bad), Error);
  });
}

}  // namespace
}  // namespace gradwire
