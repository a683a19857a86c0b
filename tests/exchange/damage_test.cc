// SPDX-License-Identifier: Apache-2.0
// A message that was damaged, or is another one than was expected, ends in a PeerError that names its sender and the
// bucket. It never becomes a sum.
#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kWorkers = 3, kReceiver = 0, kSender = 2;
constexpr uint32_t kBucket = 1;  // the damaged one, of two
const std::vector<Parameter> kParameters = {{"first", {30, 40}}, {"weight", {50, 40}}, {"bias", {3}}};
const testing::Layout kLayout = {{0}, {1, 2}};

using Damage = std::function<void(std::span<std::byte> message)>;

/// Damages what comes from kSender in the operation of kBucket.
class DamagingCollective : public testing::ForwardingCollective {
 public:
  DamagingCollective(Collective& inner, Damage damage) : ForwardingCollective(inner), damage_(std::move(damage)) {}

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    const Ticket ticket = ForwardingCollective::Start(id, outgoing, incoming);
    if (started_++ == kBucket) damaged_ = ticket.id, incoming_.assign(incoming.begin(), incoming.end());
    return ticket;
  }

  void Finish(const Ticket& ticket) override {
    ForwardingCollective::Finish(ticket);
    if (incoming_.empty() || ticket.id != damaged_) return;
    for (const Incoming& message : incoming_)
      if (message.peer == kSender) damage_(message.bytes);
  }

 private:
  Damage damage_;
  uint32_t started_ = 0;
  uint64_t damaged_ = 0;
  std::vector<Incoming> incoming_;
};

struct Outcome {
  int blamed = -1;  ///< the PeerError's rank
  std::string what = "nothing thrown";
};

/// What the receiver sees of a step in which one message was damaged. The other ranks' step succeeds.
Outcome Receive(const testing::Combination& combination, const Damage& damage) {
  Outcome outcome;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    DamagingCollective damaging(
        collective, collective.rank() == kReceiver ? damage : [](std::span<std::byte>) {});
    Exchange<float> exchange(damaging, kParameters, MakeParts(combination.Config(), /*seed=*/1));
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(kParameters, kLayout);
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (size_t i = 0; i < buckets.Of(p).size(); ++i)
        buckets.Of(p)[i] = static_cast<float>(i) - 3.5f * static_cast<float>(collective.rank());
    try {
      buckets.Exchange(sink, 0);
    } catch (const PeerError& error) {
      EXPECT_EQ(collective.rank(), kReceiver);
      outcome = {error.rank(), error.what()};
    }
  });
  return outcome;
}

void ExpectBlame(const Outcome& outcome, const std::string& reason, const std::string& where = "") {
  EXPECT_EQ(outcome.blamed, kSender) << where;
  EXPECT_THAT(outcome.what, AllOf(HasSubstr("rank 2"), HasSubstr("bucket 1"), HasSubstr(reason))) << where;
}

class Damaged : public ::testing::TestWithParam<testing::Combination> {};

TEST_P(Damaged, MessagesAreNoticedAtEveryBitOfTheFrame) {
  for (size_t bit = 0; bit < 8 * sizeof(Frame); ++bit)
    ExpectBlame(Receive(GetParam(), [bit](auto message) { message[bit / 8] ^= std::byte(1 << bit % 8); }), "",
                "bit " + std::to_string(bit));
}

TEST_P(Damaged, MessagesAreNoticedAnywhereInThePayloads) {
  Philox random(/*seed=*/5, Purpose::kSynthetic);
  for (int trial = 0; trial < 200; ++trial) {
    const uint32_t place = random.Next(), bit = random.Below(8);
    ExpectBlame(Receive(GetParam(),
                        [&](auto message) {
                          const auto payloads = message.subspan(sizeof(Frame));
                          payloads[place % payloads.size()] ^= std::byte(1 << bit);
                        }),
                "checksum", "trial " + std::to_string(trial));
  }
}

TEST_P(Damaged, PayloadsInASoundFrameAreNoticedByTheOperator) {
  const Outcome outcome = Receive(GetParam(), [](auto message) {
    Frame frame;
    std::memcpy(&frame, message.data(), sizeof(Frame));
    std::ranges::fill(message.subspan(sizeof(Frame)), std::byte{0xff});  // NaN scales, positions beyond the end
    Seal(frame, message);
  });
  ExpectBlame(outcome, "parameter weight, piece 0");
}

INSTANTIATE_TEST_SUITE_P(, Damaged,
                         ::testing::Values(testing::Combination{"ef", "sign"}, testing::Combination{"ef", "topk:1%"},
                                           testing::Combination{"dcgd", "fp16"}),
                         [](const auto& info) { return testing::NameOf(info.param); });

/// A sound message, but another one than was expected.
Outcome ReceiveChanged(const std::function<void(Frame&)>& change) {
  return Receive({"ef", "sign"}, [&](std::span<std::byte> message) {
    Frame frame;
    std::memcpy(&frame, message.data(), sizeof(Frame));
    change(frame);
    Seal(frame, message);
  });
}

TEST(Misplaced, MessagesAreRefusedWithTheFieldThatTells) {
  EXPECT_EQ(ReceiveChanged([](Frame&) {}).what, "nothing thrown");
  ExpectBlame(ReceiveChanged([](Frame& frame) { ++frame.magic; }), "magic");
  ExpectBlame(ReceiveChanged([](Frame& frame) { ++frame.version; }), "version");
  ExpectBlame(ReceiveChanged([](Frame& frame) { frame.flags = 2; }), "flags");
  ExpectBlame(ReceiveChanged([](Frame& frame) { ++frame.token; }), "token");
  ExpectBlame(ReceiveChanged([](Frame& frame) { ++frame.step; }), "step");
  ExpectBlame(ReceiveChanged([](Frame& frame) { --frame.bucket; }), "bucket is 0x0, expected 0x1");
  ExpectBlame(ReceiveChanged([](Frame& frame) { frame.sender = 1; }), "sender is 0x1, expected 0x2");
  ExpectBlame(ReceiveChanged([](Frame& frame) { ++frame.layout; }), "layout");
  ExpectBlame(ReceiveChanged([](Frame& frame) { ++frame.channel; }), "channel is 0x1, expected 0x0");
  ExpectBlame(ReceiveChanged([](Frame& frame) { ++frame.tag[1]; }), "tag");
  ExpectBlame(ReceiveChanged([](Frame& frame) { ++frame.rates; }), "rates");
}

/// Brings only the first bytes of what kSender sends, and says nothing of it: the rest of the room stays as it was.
class CuttingCollective : public testing::ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;
  size_t kept = ~size_t{0};  ///< bytes of a message

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    for (const Incoming& message : incoming)
      if (message.peer == kSender && message.bytes.size() > kept)
        cut_.push_back({id, message.bytes, {message.bytes.begin(), message.bytes.end()}});
    return ForwardingCollective::Start(id, outgoing, incoming);
  }

  void Finish(const Ticket& ticket) override {
    ForwardingCollective::Finish(ticket);
    for (const Cut& cut : cut_)
      if (cut.id == ticket.id) std::copy(cut.before.begin() + std::ptrdiff_t(kept), cut.before.end(), &cut.bytes[kept]);
  }

 private:
  struct Cut {
    uint64_t id;
    std::span<std::byte> bytes;
    std::vector<std::byte> before;
  };
  std::vector<Cut> cut_;
};

/// A room has had a message of the same length before, a sound one: what came last must not be completed by it.
TEST(CutShort, MessagesAreNotCompletedByEarlierOnes) {
  for (size_t kept = 0; kept <= sizeof(Frame); ++kept)
    testing::RunRanks(kWorkers, [&](Collective& collective) {
      CuttingCollective cutting(collective);
      Exchange<float> exchange(cutting, kParameters, MakeParts(testing::Combination{"dcgd", "sign"}.Config(), 1));
      DirectSink<float> sink(exchange);
      testing::Buckets<float> buckets(kParameters, {{0, 1, 2}});
      for (uint64_t step = 0; step < 2; ++step) {
        if (step == 1 && collective.rank() == kReceiver) cutting.kept = kept;
        for (uint32_t p = 0; p < kParameters.size(); ++p)
          std::ranges::fill(buckets.Of(p), static_cast<float>(collective.rank() + 1) - 3.5f * static_cast<float>(step));
        try {
          buckets.Exchange(sink, step);
          EXPECT_TRUE(step == 0 || collective.rank() != kReceiver) << "took what was cut after " << kept << " bytes";
        } catch (const PeerError& error) {
          EXPECT_EQ(collective.rank(), kReceiver);
          EXPECT_EQ(error.rank(), kSender) << error.what();
        }
      }
    });
}

TEST(Misplaced, BucketsOfOtherParametersAreRefusedByEveryRank) {
  const std::vector<Parameter> twins = {{"a", {40, 30}}, {"b", {40, 30}}};  // swapped, their messages have equal sizes
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<float> exchange(collective, twins, MakeParts(testing::Combination{"ef", "sign"}.Config(), 1));
    DirectSink<float> sink(exchange);
    const bool odd = collective.rank() == kSender;
    testing::Buckets<float> buckets(twins, {odd ? std::vector<uint32_t>{1, 0} : std::vector<uint32_t>{0, 1}});
    try {
      buckets.Exchange(sink, 0);
      ADD_FAILURE() << "rank " << collective.rank() << " took them";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), odd ? 0 : kSender);
      EXPECT_THAT(error.what(), HasSubstr("layout"));
    }
  });
}

}  // namespace
}  // namespace gradwire
