// SPDX-License-Identifier: Apache-2.0
// What is left of a bucket whose start failed: nothing where it was refused, and its place where the transport may
// still use its buffers.
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "gradwire/exchange.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

const std::vector<Parameter> kParameters = {{"w", {40, 30}}};

class FirstStartFails final : public testing::ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;
  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    if (starts_++ == 0) throw Error("the transport is gone");
    return ForwardingCollective::Start(id, outgoing, incoming);
  }

 private:
  int starts_ = 0;
};

TEST(Start, ABucketThatFailedKeepsItsPlaceAndARefusedOneHasNone) {
  testing::RunRanks(1, [](Collective& collective) {
    FirstStartFails failing(collective);
    Exchange<float> exchange(failing, kParameters, MakeParts({.method = "ef", .compressor = "sign"}, 1));
    testing::Buckets<float> buckets(kParameters, testing::OneBucket(kParameters));
    Bucket<float> wrong = buckets.At(0);
    wrong.values = wrong.values.first(1);
    EXPECT_THROW(exchange.Start(0, wrong), Error);
    EXPECT_FALSE(exchange.Pending(0));
    EXPECT_THROW(exchange.Start(0, buckets.At(0)), Error);
    EXPECT_TRUE(exchange.Pending(0));
    const auto next = exchange.Start(1, buckets.At(0));
    EXPECT_EQ(next, 1u);
    exchange.Finish(next);
    EXPECT_TRUE(exchange.Pending(0));
  });
}

}  // namespace
}  // namespace gradwire
