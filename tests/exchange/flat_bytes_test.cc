// SPDX-License-Identifier: Apache-2.0
// With owners of pieces a rank receives the same however many ranks there are: (n - 1)/n of a message on the way up,
// and as much on the way back, beside a frame a message. Where every rank sends to every other one it grows with n.
#include <gtest/gtest.h>

#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

constexpr size_t kPieces = 192;  // a multiple of all numbers of ranks below, so that all own alike
const std::vector<Parameter> kParameters(kPieces, Parameter{"p", {110, 10}});

/// Adds up what comes in.
class ReceivingCollective final : public testing::ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;
  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    for (const Incoming& message : incoming) bytes += message.bytes.size(), ++messages;
    return ForwardingCollective::Start(id, outgoing, incoming);
  }
  size_t bytes = 0, messages = 0;
};

class FlatBytes : public ::testing::TestWithParam<testing::Combination> {};

TEST_P(FlatBytes, ForTwoToSixtyFourRanks) {
  const ExchangeParts parts = MakeParts(GetParam().Config(), /*seed=*/1);
  const Piece piece = PieceOf(kParameters[0], parts.piece, 0);
  const size_t up = AlignPayload(parts.compressor->Bytes(piece, Dtype::kF32));
  const size_t back = AlignPayload(parts.down_compressor->Bytes(piece, Dtype::kF32));
  for (const size_t n : {2, 3, 8, 64})
    testing::RunRanks(static_cast<int>(n), [&](Collective& collective) {
      ReceivingCollective receiving(collective);
      Exchange<float> exchange(receiving, kParameters, parts);
      DirectSink<float> sink(exchange);
      testing::Buckets<float> buckets(kParameters, testing::OneBucket(kParameters));
      for (float& x : buckets.At(0).values) x = 1;
      buckets.Exchange(sink, 0);
      EXPECT_EQ(receiving.messages, 2 * (n - 1));
      EXPECT_EQ(receiving.bytes - receiving.messages * sizeof(Frame), (n - 1) * kPieces / n * (up + back));
    });
}

INSTANTIATE_TEST_SUITE_P(, FlatBytes,
                         ::testing::Values(testing::Combination{"doublesqueeze", "sign"},
                                           testing::Combination{"dcgd", "fp16", "sharded", "raw"}),
                         [](const auto& info) { return testing::NameOf(info.param); });

}  // namespace
}  // namespace gradwire
