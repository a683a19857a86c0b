// SPDX-License-Identifier: Apache-2.0
// How many threads encode and decode changes nothing that can be seen: results, memory, and which error there is.
// Ranks may have different numbers. Every method with an operator of each kind, on every topology.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "exchange/saved_memory.h"
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

constexpr int kWorkers = 3;
const std::vector<Parameter> kParameters = {{"a", {40, 50}},  {"b", {3, 400}}, {"bias", {40}},
                                            {"c", {5000, 1}}, {"d", {45, 45}}, {"e", {60, 30}}};

/// What each rank has after three steps: results and memory, one behind another.
using Seen = std::vector<std::vector<float>>;

Seen WhatRanksSee(const ExchangeParts& parts, bool shared) {
  Seen seen(kWorkers);
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    std::vector<float>& mine = seen[static_cast<size_t>(collective.rank())];
    ExchangeParts own = parts;
    own.threads = shared ? 2 + static_cast<size_t>(collective.rank()) : 1;
    Exchange<float> exchange(collective, kParameters, own);
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(kParameters, testing::OneBucket(kParameters));
    for (uint64_t step = 0; step < 3; ++step) {
      Philox random(3, Purpose::kSynthetic, static_cast<uint64_t>(collective.rank()), step);
      for (float& x : buckets.At(0).values)
        x = static_cast<float>(static_cast<int>(random.Next() % 8192) - 3000) / 4096;
      if (step == 1 && collective.rank() == 1) buckets.Of(3)[70] = std::numeric_limits<float>::infinity();
      buckets.Exchange(sink, {step, 0.25});
      for (const float x : buckets.At(0).values) mine.push_back(std::isnan(x) ? -12345.0f : x);
    }
    for (const SavedVector<float>& saved : SaveMemory(exchange))
      mine.insert(mine.end(), saved.values.begin(), saved.values.end());
  });
  return seen;
}

class Shared : public ::testing::TestWithParam<std::string> {};

TEST_P(Shared, AnyNumberOfThreadsGivesTheSameBits) {
  for (const testing::Combination& c : testing::EveryCombination(GetParam())) {
    ExchangeParts parts = MakeParts(c.Config(), /*seed=*/5);
    parts.zeros_keep_memory = true, parts.min_compress_numel = 60;
    ASSERT_EQ(WhatRanksSee(parts, false), WhatRanksSee(parts, true)) << c << " " << c.topology << " " << c.down;
  }
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const Method& method : Methods()) names.emplace_back(method.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryMethod, Shared, ::testing::ValuesIn(MethodNames()),
                         [](const auto& info) { return info.param; });

/// Fills all payloads that come in with ones: each piece's scale is a NaN.
class Ruining final : public testing::ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;
  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    incoming_.assign(incoming.begin(), incoming.end());
    return ForwardingCollective::Start(id, outgoing, incoming);
  }
  void Finish(const Ticket& ticket) override {
    ForwardingCollective::Finish(ticket);
    for (const Incoming& message : incoming_) {
      Frame frame;
      std::memcpy(&frame, message.bytes.data(), sizeof(Frame));
      std::ranges::fill(message.bytes.subspan(sizeof(Frame)), std::byte{0xff});
      Seal(frame, message.bytes);
    }
  }

 private:
  std::vector<Incoming> incoming_;
};

TEST(Shared, TheErrorIsThatOfTheFirstPieceForAnyNumberOfThreads) {
  for (const size_t threads : {1, 3})
    testing::RunRanks(2, [&](Collective& collective) {
      Ruining ruining(collective);
      ExchangeParts parts = MakeParts({.method = "ef", .compressor = "sign"}, /*seed=*/5);
      parts.threads = threads, parts.min_compress_numel = 60;
      Exchange<float> exchange(ruining, kParameters, parts);
      DirectSink<float> sink(exchange);
      testing::Buckets<float> buckets(kParameters, testing::OneBucket(kParameters));
      try {
        buckets.Exchange(sink, 0);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const PeerError& error) {
        EXPECT_NE(std::string(error.what()).find("parameter a, piece 0"), std::string::npos) << error.what();
      }
    });
}

}  // namespace
}  // namespace gradwire
