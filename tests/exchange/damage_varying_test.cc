// SPDX-License-Identifier: Apache-2.0
// Messages of varying size say how long they and their payloads are. Where they do not tell the truth, that ends in a
// PeerError that names their sender and the bucket, in either direction: a damaged result names the owner.
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"
#include "support/vectors.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kWorkers = 3, kReceiver = 0, kSender = 2;
constexpr size_t kBucket = 1;  // the damaged one, of two; the first payload of its messages is a piece of weight
/// Two pieces of weight, so that sender and receiver are owners of one each.
const std::vector<Parameter> kParameters = {{"first", {30, 40}}, {"bias", {3}}, {"weight", {300, 300}}};
const testing::Layout kLayout = {{0}, {2, 1}};

/// Which messages are damaged. An operation is reserved for those of a bucket and one for their lengths, and with
/// owners two more for the way back.
struct Way {
  const char* name;
  testing::Combination combination;
  size_t operations, first;  ///< of a bucket; the one of these messages
};

using Change = std::function<void(std::span<std::byte> bytes)>;

/// Changes what comes in from kSender, in one operation.
class ChangingCollective : public testing::ForwardingCollective {
 public:
  ChangingCollective(Collective& inner, size_t operation, Change change)
      : ForwardingCollective(inner), operation_(operation), change_(std::move(change)) {}

  uint64_t Reserve() override {
    const uint64_t id = ForwardingCollective::Reserve();
    if (reserved_++ == operation_) id_ = id;
    return id;
  }
  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    if (id == id_) incoming_.insert(incoming_.end(), incoming.begin(), incoming.end());
    return ForwardingCollective::Start(id, outgoing, incoming);
  }
  void Finish(const Ticket& ticket) override {
    ForwardingCollective::Finish(ticket);
    if (ticket.id != id_) return;
    for (const Incoming& message : incoming_)
      if (message.peer == kSender) change_(message.bytes);
  }

 private:
  const size_t operation_;
  Change change_;
  size_t reserved_ = 0;
  uint64_t id_ = ~uint64_t{0};
  std::vector<Incoming> incoming_;
};

struct Outcome {
  int blamed = -1;
  std::string what = "nothing thrown";
};

/// What the receiver sees of a step. (Where it owns pieces, the others miss its result.)
Outcome Receive(const Way& way, size_t operation, const Change& change) {
  Outcome outcome;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    const bool receives = collective.rank() == kReceiver;
    ChangingCollective changing(
        collective, way.operations * kBucket + operation, receives ? change : [](std::span<std::byte>) {});
    Exchange<float> exchange(changing, kParameters, MakeParts(way.combination.Config(), /*seed=*/1));
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(kParameters, kLayout);
    const std::vector<float> numbers = testing::Gaussian<float>(100000);
    for (size_t i = 0; i < buckets.size(); ++i)
      std::copy_n(numbers.begin() + collective.rank(), buckets.At(i).values.size(), buckets.At(i).values.begin());
    try {
      buckets.Exchange(sink, 0);
    } catch (const PeerError& error) {
      if (receives) outcome = {error.rank(), error.what()};
    }
  });
  return outcome;
}

class DamagedVarying : public ::testing::TestWithParam<Way> {
 protected:
  /// The message's table and payloads changed, in a sound frame.
  Outcome WithBody(const Change& change) const {
    return Receive(GetParam(), GetParam().first, [&](std::span<std::byte> message) {
      Frame frame;
      std::memcpy(&frame, message.data(), sizeof(Frame));
      change(message.subspan(sizeof(Frame)));
      Seal(frame, message);
    });
  }
  /// The first payload's size in the table changed.
  Outcome WithSize(const std::function<uint32_t(uint32_t)>& other) const {
    return WithBody([&](std::span<std::byte> body) {
      uint32_t size = 0;
      std::memcpy(&size, body.data(), sizeof(size));
      size = other(size);
      std::memcpy(body.data(), &size, sizeof(size));
    });
  }
  /// The length changed that is announced beside the message.
  Outcome WithLength(const std::function<uint64_t(uint64_t)>& other) const {
    return Receive(GetParam(), GetParam().first + 1, [&](std::span<std::byte> announced) {
      uint64_t length = 0;
      ASSERT_EQ(announced.size(), sizeof(length));
      std::memcpy(&length, announced.data(), sizeof(length));
      length = other(length);
      std::memcpy(announced.data(), &length, sizeof(length));
    });
  }
};

void ExpectBlame(const Outcome& outcome, const std::string& reason) {
  EXPECT_EQ(outcome.blamed, kSender) << outcome.what;
  EXPECT_THAT(outcome.what, AllOf(HasSubstr("rank 2"), HasSubstr("bucket 1"), HasSubstr(reason)));
}

TEST_P(DamagedVarying, OnlyWhatWasChangedIsBlamed) {
  EXPECT_EQ(WithSize([](uint32_t size) { return size; }).what, "nothing thrown");
  EXPECT_EQ(WithLength([](uint64_t length) { return length; }).what, "nothing thrown");
}

TEST_P(DamagedVarying, SizesInTheTableAreNotBelieved) {
  ExpectBlame(WithSize([](uint32_t) { return 0xffffffff; }), "payload 0 of 4294967295 bytes, expected at most");
  ExpectBlame(WithSize([](uint32_t) { return 0x7ffffff0; }), "payload 0 of 2147483632 bytes, expected at most");
  ExpectBlame(WithSize([](uint32_t) { return 0; }), "longer than its payloads");
  ExpectBlame(WithSize([](uint32_t size) { return size - 16; }), "longer than its payloads");
  ExpectBlame(WithSize([](uint32_t size) { return size + 16; }), "expected at most");  // the last one has no room
  const auto within_padding = [](uint32_t size) { return size % 16 == 1 ? size + 1 : size - 1; };
  ExpectBlame(WithSize(within_padding), "parameter weight, piece");
}

TEST_P(DamagedVarying, CountsOfAPayloadAreNotBelieved) {
  for (const uint32_t count : {0u, 1u, 65536u, 0xffffffffu})
    ExpectBlame(WithBody([&](std::span<std::byte> body) {
                  std::memcpy(body.data() + 16, &count, sizeof(count));  // behind the table, of up to four sizes
                }),
                "parameter weight, piece");
}

TEST_P(DamagedVarying, AnnouncedLengthsAreNotBelieved) {
  for (const uint64_t length : {uint64_t{0}, uint64_t{63}, uint64_t{1} << 30, ~uint64_t{0}})
    ExpectBlame(WithLength([&](uint64_t) { return length; }), "announced a message of " + std::to_string(length));
  ExpectBlame(WithLength([](uint64_t length) { return length - 16; }), "expected");  // the transport compares
  ExpectBlame(WithLength([](uint64_t length) { return length + 16; }), "expected");
  ExpectBlame(WithLength([](uint64_t) { return sizeof(Frame); }), "expected");
}

TEST_P(DamagedVarying, MessagesAreNoticedAtBitsOfTheFrameAndTheTable) {
  for (size_t byte = 0; byte < sizeof(Frame) + 32; byte += 3)
    ExpectBlame(Receive(GetParam(), GetParam().first,
                        [&](std::span<std::byte> message) { message[byte] ^= std::byte(1 << byte % 8); }),
                "");
}

INSTANTIATE_TEST_SUITE_P(, DamagedVarying,
                         ::testing::Values(Way{"AllGather", {"dcgd", "threshold:0.5", "allgather"}, 2, 0},
                                           Way{"Collect", {"dcgd", "threshold:0.5", "sharded", "raw"}, 4, 0},
                                           Way{"Spread", {"dcgd", "threshold:0.5", "sharded", "raw"}, 4, 2}),
                         [](const auto& info) { return info.param.name; });

/// A sender that announces and sends a message of another length than it made, in a sound frame.
class OtherLengthCollective : public testing::ForwardingCollective {
 public:
  OtherLengthCollective(Collective& inner, std::function<uint64_t(uint64_t)> other)
      : ForwardingCollective(inner), other_(std::move(other)) {}

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    if (outgoing.empty()) return ForwardingCollective::Start(id, outgoing, incoming);
    std::vector<std::byte> bytes(outgoing.front().bytes.begin(), outgoing.front().bytes.end());
    if (bytes.size() == sizeof(uint64_t)) {
      uint64_t length = 0;
      std::memcpy(&length, bytes.data(), sizeof(length));
      length = other_(length);
      std::memcpy(bytes.data(), &length, sizeof(length));
    } else {
      Frame frame;
      std::memcpy(&frame, bytes.data(), sizeof(Frame));
      bytes.resize(other_(bytes.size()));
      Seal(frame, bytes);
    }
    std::vector<Outgoing> others;
    for (const Outgoing& message : outgoing) others.push_back({message.peer, bytes});
    return ForwardingCollective::Start(id, others, incoming);  // threads copy at once
  }

 private:
  std::function<uint64_t(uint64_t)> other_;
};

TEST(VaryingMessage, OfAnotherLengthThanItsPayloadsIsRefusedByAll) {
  const auto receive = [](const std::function<uint64_t(uint64_t)>& other) {
    std::vector<Outcome> outcomes(kWorkers);
    testing::RunRanks(kWorkers, [&](Collective& collective) {
      const bool lies = collective.rank() == kSender;
      OtherLengthCollective lying(
          collective, lies ? other : [](uint64_t length) { return length; });
      Exchange<float> exchange(lying, kParameters,
                               MakeParts(testing::Combination{"dcgd", "threshold:0.5", "allgather"}.Config(), 1));
      DirectSink<float> sink(exchange);
      testing::Buckets<float> buckets(kParameters, {{0}, {1, 2}});
      try {
        buckets.Exchange(sink, 0);
      } catch (const PeerError& error) {
        outcomes[static_cast<size_t>(collective.rank())] = {error.rank(), error.what()};
      }
    });
    EXPECT_EQ(outcomes[0].what, outcomes[1].what);
    EXPECT_THAT(outcomes[0].what, HasSubstr("bucket 0"));
    EXPECT_EQ(outcomes[0].blamed, kSender);
    return outcomes[0].what;
  };
  EXPECT_THAT(receive([](uint64_t) { return sizeof(Frame); }), HasSubstr("shorter than its table of sizes"));
  EXPECT_THAT(receive([](uint64_t) { return sizeof(Frame) + 16; }), HasSubstr("payload 0 of 4 bytes"));
  EXPECT_THAT(receive([](uint64_t length) { return length + 16; }), HasSubstr("longer than its payloads"));
}

}  // namespace
}  // namespace gradwire
