// SPDX-License-Identifier: Apache-2.0
// Several vectors a step: each channel is exchanged as if it were alone, with parts, memory and steps of its own, and
// none waits for another.
#include <condition_variable>
#include <limits>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exchange/saved_memory.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

constexpr int kRanks = 3;
constexpr uint32_t kOther = 5;

const std::vector<Parameter> kGradients = {{"weight", {40, 30}}, {"bias", {7}}}, kHessians = {{"hessian", {50, 50}}};

ExchangeParts Parts(const std::string& method, const std::string& compressor) {
  CommConfig config;
  config.method = method, config.compressor = compressor, config.compress_1d = true, config.min_compress_numel = 0;
  return MakeParts(config, /*seed=*/3);
}

/// Deterministic operators: random bits know the channel.
ExchangeParts GradientParts() { return Parts("ef", "sign"); }
ExchangeParts HessianParts() { return Parts("ef21", "topk:10%"); }

void Fill(testing::Buckets<float>& buckets, size_t parameters, int rank, uint64_t step) {
  for (uint32_t p = 0; p < parameters; ++p)
    for (size_t i = 0; float& x : buckets.Of(p))
      x = static_cast<float>((i++ * 37 + p * 11 + step * 101 + static_cast<uint64_t>(rank) * 53) % 97) - 48;
}

/// What a vector's rounds deliver, and the memory that they leave, one step after another.
struct Vector {
  Vector(const std::vector<Parameter>& parameters, uint32_t channel)
      : parameters(parameters), channel(channel), buckets(parameters, testing::OneEach(parameters)) {}

  void Round(BucketSink<float>& sink, int rank, uint64_t step) {
    Fill(buckets, parameters.size(), rank, step);
    buckets.Exchange(sink, gradwire::Round(step).In(channel));
    for (uint32_t p = 0; p < parameters.size(); ++p)
      results.insert(results.end(), buckets.Of(p).begin(), buckets.Of(p).end());
  }

  const std::vector<Parameter> parameters;
  const uint32_t channel;
  testing::Buckets<float> buckets;
  std::vector<float> results;
};

/// Of an exchange that has nothing but this vector, as channel 0.
std::vector<float> Alone(Collective& collective, const std::vector<Parameter>& parameters, const ExchangeParts& parts,
                         const std::vector<uint64_t>& steps) {
  Exchange<float> exchange(collective, parameters, parts);
  DirectSink<float> sink(exchange);
  Vector vector(parameters, 0);
  for (const uint64_t step : steps) vector.Round(sink, collective.rank(), step);
  return vector.results;
}

TEST(Channels, EachIsExchangedAsIfItWereAlone) {
  testing::RunRanks(kRanks, [](Collective& collective) {
    Exchange<float> exchange(collective, kGradients, GradientParts());
    exchange.Open(kOther, kHessians, HessianParts());
    DirectSink<float> sink(exchange);
    Vector gradients(kGradients, 0), hessians(kHessians, kOther);
    for (uint64_t step = 0; step < 6; ++step) {
      gradients.Round(sink, collective.rank(), step);
      if (step % 2 == 1) hessians.Round(sink, collective.rank(), 100 + step);  // steps of its own, every other time
    }
    EXPECT_EQ(gradients.results, Alone(collective, kGradients, GradientParts(), {0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(hessians.results, Alone(collective, kHessians, HessianParts(), {101, 103, 105}));
  });
}

/// Nothing is finished before two buckets were started.
class TwoFirst final : public testing::ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;
  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    const Ticket ticket = ForwardingCollective::Start(id, outgoing, incoming);
    const std::lock_guard lock(mutex_);
    ++started_;
    changed_.notify_all();
    return ticket;
  }
  void Finish(const Ticket& ticket) override {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, std::chrono::seconds(20), [this] { return started_ >= 2; }))
        throw Error("the second bucket was never started");
    }
    ForwardingCollective::Finish(ticket);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int started_ = 0;
};

TEST(Channels, NoneWaitsForAnotherOnesStep) {
  testing::RunRanks(kRanks, [](Collective& collective) {
    TwoFirst two(collective);
    Exchange<float> exchange(two, kGradients, GradientParts());
    exchange.Open(kOther, kHessians, HessianParts());
    ExchangeThread<float> thread(exchange);
    testing::Buckets<float> gradients(kGradients, testing::OneBucket(kGradients)),
        hessians(kHessians, testing::OneBucket(kHessians));
    std::vector<std::future<void>> done;
    const auto push = [&](testing::Buckets<float>& buckets, const Round& round) {
      const auto promise = std::make_shared<std::promise<void>>();
      done.push_back(promise->get_future());
      thread.Push(round, buckets.At(0), [promise](std::exception_ptr failure) {
        failure ? promise->set_exception(failure) : promise->set_value();
      });
    };
    push(gradients, Round(7));
    push(hessians, Round(3).In(kOther));
    for (std::future<void>& bucket : done) EXPECT_NO_THROW(bucket.get());
  });
}

TEST(Channels, ASaveHasTheMemoryOfAllAndGoesOnBitForBit) {
  testing::RunRanks(kRanks, [](Collective& collective) {
    const auto open = [&](Exchange<float>& exchange) { exchange.Open(kOther, kHessians, HessianParts()); };
    const auto run = [&](Exchange<float>& exchange, uint64_t from, uint64_t to) {
      DirectSink<float> sink(exchange);
      Vector gradients(kGradients, 0), hessians(kHessians, kOther);
      for (uint64_t step = from; step < to; ++step) {
        gradients.Round(sink, collective.rank(), step);
        hessians.Round(sink, collective.rank(), step);
      }
      gradients.results.insert(gradients.results.end(), hessians.results.begin(), hessians.results.end());
      return gradients.results;
    };
    Exchange<float> whole(collective, kGradients, GradientParts()), half(collective, kGradients, GradientParts());
    open(whole), open(half);
    run(whole, 0, 3);
    const std::vector<SavedVector<float>> saved = SaveMemory(whole);
    LoadMemory(half, saved);
    half.GoOnAt(3);
    EXPECT_EQ(run(half, 3, 6), run(whole, 3, 6));

    Exchange<float> without(collective, kGradients, GradientParts());
    try {
      LoadMemory(without, saved);
      ADD_FAILURE() << "memory of a channel that is not open was taken";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("channel 5, which is not open here"));
    }
    EXPECT_NE(MemorySettings(whole), MemorySettings(without));
  });
}

TEST(Channels, APoisonedOneLeavesTheOthersMemory) {
  testing::RunRanks(kRanks, [](Collective& collective) {
    ExchangeParts gradients = GradientParts(), hessians = HessianParts();
    gradients.poison_undoes_step = hessians.poison_undoes_step = true;
    Exchange<float> exchange(collective, kGradients, gradients);
    exchange.Open(kOther, kHessians, hessians);
    DirectSink<float> sink(exchange);
    Vector g(kGradients, 0), h(kHessians, kOther);
    g.Round(sink, collective.rank(), 0), h.Round(sink, collective.rank(), 0);
    const double before = exchange.state(kOther).SquaredNorm("h");
    Fill(h.buckets, 1, collective.rank(), 1);
    if (collective.rank() == 1) h.buckets.Of(0)[3] = std::numeric_limits<float>::infinity();
    h.buckets.Exchange(sink, Round(1).In(kOther));
    g.Round(sink, collective.rank(), 1);
    EXPECT_EQ(exchange.state(kOther).SquaredNorm("h"), before) << "undone";
    EXPECT_EQ(g.results, Alone(collective, kGradients, gradients, {0, 1}));
  });
}

TEST(Channels, RanksThatOpenDifferentOnesAreRefused) {
  EXPECT_THROW(testing::RunRanks(2,
                                 [](Collective& collective) {
                                   Exchange<float> exchange(collective, kGradients, GradientParts());
                                   exchange.Open(kOther, kHessians,
                                                 collective.rank() == 0 ? HessianParts() : GradientParts());
                                 }),
               ConfigError);
}

TEST(Channels, UnopenedAndDoublyOpenedOnesAreErrors) {
  testing::RunRanks(1, [](Collective& collective) {
    Exchange<float> exchange(collective, kGradients, GradientParts());
    testing::Buckets<float> buckets(kGradients, testing::OneBucket(kGradients));
    EXPECT_THROW(exchange.Start(Round(0).In(kOther), buckets.At(0)), Error);
    exchange.Open(kOther);
    EXPECT_NO_THROW(exchange.Finish(exchange.Start(Round(0).In(kOther), buckets.At(0))));
    EXPECT_THROW(exchange.Open(kOther), Error);
    EXPECT_THROW(exchange.Open(0), Error);
    EXPECT_THROW(exchange.Open(128), Error);
  });
}

}  // namespace
}  // namespace gradwire
