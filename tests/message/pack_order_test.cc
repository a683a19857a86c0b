// SPDX-License-Identifier: Apache-2.0
// The pieces of a message can be made in any order, by any number of threads: neither the message nor the memory tells
// which. Every method with every operator.
#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "message/pack.h"
#include "message/saved_vector.h"
#include "support/combinations.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

const std::vector<Parameter> kParameters = {
    {"weight", {50, 31}}, {"bias", {50}}, {"long", {66000, 1}}, {"end", {9, 9}}};

std::vector<float> Values(uint64_t round) {
  std::vector<float> values(CheckSegments(kParameters, AllSegments(kParameters)));
  Philox random(3, Purpose::kSynthetic, round);
  for (float& x : values) x = static_cast<float>(static_cast<int>(random.Next() % 8192) - 3000) / 4096;
  if (round == 1) std::fill_n(values.begin() + 1600, 66000, 0.0F);  // "long" is unused
  return values;
}

/// Both must see the same number of workers, and which one this is.
struct Sender {
  explicit Sender(const ExchangeParts& parts) : channel(kParameters, parts, /*rank=*/1, /*ranks=*/3, /*owners=*/0) {}

  std::vector<std::byte> Message(const Round& round, bool backwards) {
    const std::vector<Segment> segments = AllSegments(kParameters);
    channel.BeginStep(round.step);
    const bool dense = channel.IsDense(round);
    const auto plan = channel.PlanOf(0, segments, dense);
    const MessagePlan& of = plan->up[0];
    std::vector<size_t> order(of.pieces.size());
    std::iota(order.begin(), order.end(), 0);
    if (backwards) std::ranges::reverse(order);
    std::vector<std::byte> message(of.bytes);
    const Packed packed = Pack<float>(channel.Up(dense, lane), of, round, Values(round.step), message, order);
    message.resize(packed.bytes);
    message.erase(message.begin(), message.begin() + sizeof(Frame));  // not yet written
    return message;
  }

  Channel<float> channel;
  Lane lane;
};

class PackOrder : public ::testing::TestWithParam<std::string> {};

TEST_P(PackOrder, AnyGivesTheSameMessageAndMemory) {
  for (const testing::Combination& c : testing::Combinations({GetParam()})) {
    ExchangeParts parts = MakeParts(c.Config(), /*seed=*/5);
    parts.down_compressor = nullptr, parts.zeros_keep_memory = true, parts.min_compress_numel = 60;
    Sender forwards(parts), backwards(parts);
    parts.threads = 3;
    Sender shared(parts);
    for (uint64_t step = 0; step < 3; ++step) {
      const std::vector<std::byte> message = forwards.Message({step, 0.25}, false);
      ASSERT_EQ(message, backwards.Message({step, 0.25}, true)) << c << ", step " << step;
      ASSERT_EQ(message, shared.Message({step, 0.25}, false)) << c << ", step " << step << " on 3 threads";
    }
    const auto memory = SaveVectors(forwards.channel);
    for (const Sender* other : {&backwards, &shared}) {
      const auto theirs = SaveVectors(other->channel);
      for (size_t i = 0; i < memory.size(); ++i) ASSERT_EQ(memory[i].values, theirs[i].values) << c << memory[i].name;
    }
  }
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const Method& method : Methods())
    if (!FindLink(method.link).iterates) names.emplace_back(method.name);  // whose messages are not packed
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryMethod, PackOrder, ::testing::ValuesIn(MethodNames()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gradwire
