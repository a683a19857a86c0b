// SPDX-License-Identifier: Apache-2.0
// Ranks that one process exchanges for, against ranks that each have a thread and a collective: the same bits are
// delivered, remembered and counted.
#include "exchange/joint_exchange.h"

#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.h"
#include "exchange/joint_job.h"
#include "exchange/joint_memory.h"
#include "exchange/saved_memory.h"
#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "support/aggregates.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/convex.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kRounds = 6;
const std::vector<Parameter> kParameters = {{"weight", {20, 7}}, {"bias", {50}}, {"small", {5, 5}}};
const testing::Layout kLayout = {{1}, {2, 0}};

struct Trial {
  explicit Trial(ExchangeParts made, size_t ranks = 3) : parts(std::move(made)), ranks(ranks) {
    parts.count_as = FindBitRule("ef_sigma_k");  // the rule that looks into payloads
  }

  ExchangeParts parts;
  size_t ranks, threads = 2;
  uint64_t poisoned = kRounds;  // the round in which rank 1 has a NaN
};

/// What a rank was given in each round, has in memory and has sent.
template <typename T>
struct Seen {
  std::vector<std::vector<T>> delivered;
  std::vector<SavedVector<T>> memory;
  ExchangeStats stats;
  std::map<uint32_t, uint64_t> openings;
};

/// A rank's gradients of a round; x is where they were taken.
template <typename T>
struct Gradients {
  testing::Buckets<T> buckets{kParameters, kLayout};
  std::vector<T> point = std::vector<T>(1000, T(0.01));

  void Set(const Trial& trial, size_t rank, uint64_t round) {
    Philox random(/*seed=*/9, Purpose::kSynthetic, rank, round);
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (T& x : buckets.Of(p)) x = static_cast<T>(static_cast<int>(random.Next() % 8192) - 3000) / T(4096);
    if (round == trial.poisoned && rank == 1) buckets.Of(0)[3] = std::numeric_limits<T>::quiet_NaN();
  }
  Bucket<T> At(size_t i) {
    Bucket<T> bucket = buckets.At(i);
    bucket.point = std::span<const T>(point).first(bucket.values.size());
    return bucket;
  }
  void Note(Seen<T>& seen) {
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      seen.delivered.emplace_back(buckets.Of(p).begin(), buckets.Of(p).end());
  }
};

Round RoundOf(uint64_t step) { return {step, 0.25}; }

template <typename T>
std::vector<Seen<T>> Apart(const Trial& trial) {
  std::vector<Seen<T>> all(trial.ranks);
  testing::RunRanks(static_cast<int>(trial.ranks), [&](Collective& collective) {
    const auto rank = static_cast<size_t>(collective.rank());
    Exchange<T> exchange(collective, kParameters, trial.parts);
    exchange.Open(1);
    Gradients<T> gradients;
    for (uint64_t round = 0; round < kRounds; ++round)
      for (const Round& of : {RoundOf(round), RoundOf(round).In(1)}) {
        gradients.Set(trial, rank, round);
        for (size_t i = 0; i < kLayout.size(); ++i) exchange.Finish(exchange.Start(of, gradients.At(i)));
        gradients.Note(all[rank]);
      }
    all[rank].memory = SaveMemory(exchange), all[rank].stats = exchange.stats();
    all[rank].openings = OpeningsOf(exchange);
  });
  return all;
}

/// From the second half on by another exchange, which goes on from what the first one saves.
template <typename T>
std::vector<Seen<T>> Together(const Trial& trial) {
  std::vector<Seen<T>> all(trial.ranks);
  std::vector<Gradients<T>> gradients(trial.ranks);
  const auto make = [&] {
    auto made = std::make_unique<JointExchange<T>>(trial.ranks, trial.threads, kParameters, trial.parts);
    made->Open(1);
    return made;
  };
  auto exchange = make();
  const auto note_stats = [&] {
    for (size_t rank = 0; rank < trial.ranks; ++rank) all[rank].stats += exchange->stats(rank);
  };
  for (uint64_t round = 0; round < kRounds; ++round) {
    if (round == kRounds / 2) {
      std::vector<std::vector<SavedVector<T>>> memory;
      for (uint32_t rank = 0; rank < trial.ranks; ++rank) memory.push_back(SaveMemory(*exchange, rank));
      const auto openings = OpeningsOf(*exchange);
      note_stats();
      exchange = make();
      LoadMemory(*exchange, memory);
      SetOpenings(*exchange, openings);
    }
    for (const Round& of : {RoundOf(round), RoundOf(round).In(1)}) {
      for (size_t rank = 0; rank < trial.ranks; ++rank) gradients[rank].Set(trial, rank, round);
      for (size_t i = 0; i < kLayout.size(); ++i) {
        std::vector<Bucket<T>> buckets;
        for (Gradients<T>& own : gradients) buckets.push_back(own.At(i));
        exchange->Exchange(of, buckets);
      }
      for (size_t rank = 0; rank < trial.ranks; ++rank) gradients[rank].Note(all[rank]);
    }
  }
  note_stats();
  for (uint32_t rank = 0; rank < trial.ranks; ++rank) {
    all[rank].memory = SaveMemory(*exchange, rank);
    all[rank].openings = OpeningsOf(*exchange);
  }
  return all;
}

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <typename T>
void ExpectAlike(const Trial& trial) {
  const std::vector<Seen<T>> apart = Apart<T>(trial), together = Together<T>(trial);
  for (size_t rank = 0; rank < trial.ranks; ++rank) {
    SCOPED_TRACE("rank " + std::to_string(rank) + " of " + std::to_string(trial.ranks));
    const Seen<T>&a = apart[rank], &b = together[rank];
    ASSERT_EQ(a.delivered.size(), b.delivered.size());
    for (size_t i = 0; i < a.delivered.size(); ++i)
      ASSERT_TRUE(SameBits(a.delivered[i], b.delivered[i])) << "round " << i / (2 * kParameters.size());
    ASSERT_EQ(a.memory.size(), b.memory.size());
    for (size_t i = 0; i < a.memory.size(); ++i) {
      const SavedVector<T>&x = a.memory[i], &y = b.memory[i];
      ASSERT_EQ(std::tie(x.channel, x.down, x.parameter, x.name), std::tie(y.channel, y.down, y.parameter, y.name));
      ASSERT_TRUE(SameBits(x.values, y.values))
          << x.name << (x.down ? " of the way back" : "") << " of " << x.parameter;
    }
    ASSERT_EQ(a.stats.frame_bytes, b.stats.frame_bytes);
    ASSERT_EQ(a.stats.payload_bytes, b.stats.payload_bytes);
    ASSERT_GT(a.stats.paper_bits, 0u);
    ASSERT_EQ(a.stats.paper_bits, b.stats.paper_bits);
    ASSERT_EQ(a.openings, b.openings);
  }
}

class JointOf : public ::testing::TestWithParam<std::string> {};

TEST_P(JointOf, EveryOperatorAndTopologyGivesTheBitsOfRanksApart) {
  std::vector<testing::Combination> combinations = testing::EveryCombination(GetParam());
  combinations.push_back({GetParam(), "auto"});  // some take no operator but their own
  for (const testing::Combination& combination : combinations) {
    Trial trial{MakeParts(combination.Config(), /*seed=*/5)};
    trial.parts.min_compress_numel = 30;
    if (trial.parts.compressor->scope() == Scope::kModel) continue;  // for models of one parameter
    SCOPED_TRACE(testing::NameOf(combination));
    ExpectAlike<double>(trial);
    if (HasFatalFailure()) return;
  }
}

TEST_P(JointOf, AnyNumberOfRanksAndThreadsGivesTheBitsOfRanksApart) {
  Trial trial{MakeParts({.method = GetParam(), .min_compress_numel = 30, .start_iter = 1}, /*seed=*/5)};
  if (trial.parts.compressor->scope() == Scope::kModel) return;
  trial.poisoned = 4;
  for (trial.ranks = 2; trial.ranks <= 5; ++trial.ranks) {
    trial.threads = 6 - trial.ranks;
    ExpectAlike<double>(trial);
    ExpectAlike<float>(trial);
    if (HasFatalFailure()) return;
  }
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const Method& method : Methods()) names.emplace_back(method.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Every, JointOf, ::testing::ValuesIn(MethodNames()),
                         [](const auto& info) { return info.param; });

TEST(Joint, SomeWorkersAndRegularisersGiveTheBitsOfRanksApart) {
  for (const char* participation : {"nice:40%", "iid:40%", "independent:40%,90%", "sets:0+1=2,2+3=1,4=1"})
    for (const char* topology : {"allgather", "sharded"}) {
      CommConfig config = testing::Comm("dcgd", "randk:10%");
      config.participation = participation, config.topology = topology;
      Trial trial{MakeParts(config, 5), 5};
      ExpectAlike<double>(trial);
      trial.parts.prox = {Prox::Kind::kL1, 0.1};
      ExpectAlike<double>(trial);
    }
  Trial identity{MakeParts(testing::Comm("none", "identity"), 5), 4};
  identity.parts.prox = {Prox::Kind::kL2, 0.1};
  ExpectAlike<double>(identity);
}

TEST(Joint, AggregatesGiveTheBitsOfRanksApart) {
  for (const std::string& aggregate : testing::AggregateTexts())
    for (const char* topology : {"allgather", "sharded"})
      for (const char* method : {"none", "ef", "ec"}) {
        SCOPED_TRACE(aggregate + " over " + topology + ", " + method);
        CommConfig config = testing::Comm(method, method == std::string("none") ? "identity" : "topk:10%");
        config.aggregate = aggregate, config.topology = topology, config.min_compress_numel = 30;
        Trial trial{MakeParts(config, 5), 5};
        if (topology == std::string("sharded")) trial.poisoned = 4;
        ExpectAlike<double>(trial);
        ExpectAlike<float>(trial);
        if (HasFatalFailure()) return;
      }
}

/// 16 more ranks, each with its share: nothing that receivers hold is there once for each.
TEST(Joint, WhatReceiversHoldIsKeptOnce) {
  JointExchange<double> exchange(16, 1, kParameters, MakeParts(testing::Comm("diana", "randk:10%"), 5));
  size_t vectors = 0;
  for (const auto& [number, channel] : exchange.channels()) {
    const auto count = [&](uint32_t, std::string_view, std::span<const double>) { ++vectors; };
    channel->receivers.state.ForEach(count);
    for (Channel<double>& sender : channel->senders) sender.state.ForEach(count);
  }
  EXPECT_EQ(vectors, (16 + 1) * kParameters.size());
}

TEST(Joint, BucketsThatDifferAndChannelsThatAreNotOpenAreRefused) {
  JointExchange<double> exchange(2, 1, kParameters, MakeParts(testing::Comm("none", "identity"), 5));
  Gradients<double> one, other;
  const auto refusal = [&](const Round& round, std::vector<Bucket<double>> buckets) -> std::string {
    try {
      exchange.Exchange(round, buckets);
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_THAT(refusal({0, 0.1}, {one.At(0)}), HasSubstr("1 buckets, expected one of each of 2 ranks"));
  EXPECT_THAT(refusal({0, 0.1}, {one.At(0), other.At(1)}), HasSubstr("bucket 1 of 165 elements beside bucket 0 of 50"));
  EXPECT_THAT(refusal(Round(0, 0.1).In(3), {one.At(0), other.At(0)}), HasSubstr("channel 3 is not open"));
}

}  // namespace
}  // namespace gradwire
