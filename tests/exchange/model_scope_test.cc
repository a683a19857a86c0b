// SPDX-License-Identifier: Apache-2.0
// clip:T acts on the whole gradient, however many parameters, pieces and buckets it has: by one norm.
#include <algorithm>
#include <cmath>
#include <future>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "message/link_end.h"
#include "support/buckets.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

constexpr int kWorkers = 2;
const std::vector<Parameter> kModel = {{"a", {70000}}, {"b", {300, 10}}, {"c", {40, 40}}};
constexpr size_t kNumel = 70000 + 3000 + 1600;
const std::vector<Parameter> kOne = {{"x", {static_cast<int64_t>(kNumel)}}};

double Element(int rank, uint64_t step, size_t i) {
  return std::sin(1.0 + 5.0 * rank + 3.0 * static_cast<double>(step) + 0.37 * static_cast<double>(i));
}

/// What worker 0 gets, step after step: of the model in buckets over the exchange's thread, or of one long parameter.
std::vector<double> Delivered(CommConfig comm, const std::vector<Parameter>& parameters, const testing::Layout& layout,
                              bool direct) {
  std::vector<double> delivered;
  if (direct) comm.piece = "tensor";
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<double> exchange(collective, parameters, MakeParts(comm, /*seed=*/1));
    DirectSink<double> at_once(exchange);
    std::unique_ptr<ExchangeThread<double>> thread;
    if (!direct) thread = std::make_unique<ExchangeThread<double>>(exchange);
    testing::Buckets<double> buckets(parameters, layout);
    for (uint64_t step = 0; step < 5; ++step) {
      size_t i = 0;
      for (uint32_t p = 0; p < parameters.size(); ++p)
        for (double& x : buckets.Of(p)) x = Element(collective.rank(), step, i++);
      buckets.Exchange(direct ? static_cast<BucketSink<double>&>(at_once) : *thread, {step, 0.5});
      for (uint32_t p = 0; p < parameters.size() && collective.rank() == 0; ++p)
        delivered.insert(delivered.end(), buckets.Of(p).begin(), buckets.Of(p).end());
    }
  });
  return delivered;
}

CommConfig Clipped(const char* method, const char* tau) {
  CommConfig comm = testing::Comm(method, tau);
  if (std::string_view(method) == "ef") comm.ema = "0.3";
  return comm;
}

/// Memory, shifts and momenta are part of what is clipped; the way to the owners is the same as to all.
TEST(ModelScope, ManyPiecesAreClippedAsOneLongVector) {
  for (const char* method : {"dcgd", "ef", "ec", "ef21", "clip21", "clip21_sgd2m"})
    for (const char* topology : {"allgather", "sharded"}) {
      CommConfig comm = Clipped(method, "clip:20");  // of norms near 193
      comm.topology = topology;
      if (comm.topology == "sharded") comm.down_compressor = "identity";
      const std::vector<double> one = Delivered(comm, kOne, testing::OneEach(kOne), /*direct=*/true);
      for (const testing::Layout& layout : {testing::Layout{{2}, {0}, {1}}, testing::Layout{{1, 2}, {0}}}) {
        const std::vector<double> many = Delivered(comm, kModel, layout, /*direct=*/false);
        ASSERT_EQ(many.size(), one.size());
        for (size_t i = 0; i < one.size(); i += 97)
          ASSERT_NEAR(many[i], one[i], 1e-12 * std::max(1.0, std::abs(one[i])))
              << method << " " << topology << " " << i;
      }
    }
}

TEST(ModelScope, OfALinkBetweenTwoIsTheWholeMessage) {
  const ExchangeParts parts = MakeParts(Clipped("clip21", "clip:20"), 1);
  LinkEnd<double> sender(kModel, parts, 0, 7), receiver(kModel, parts, 0, 7);
  std::vector<double> values(kNumel), delivered(kNumel);
  for (size_t i = 0; i < kNumel; ++i) values[i] = Element(0, 0, i);
  receiver.Unpack(0, 0.1, sender.Pack(0, 0.1, values), delivered);
  double square = 0;
  for (const double x : delivered) square += x * x;
  EXPECT_NEAR(std::sqrt(square), 20, 1e-9);
}

TEST(ModelScope, ABucketWithoutTheOthersIsAnError) {
  testing::RunRanks(1, [&](Collective& collective) {
    Exchange<double> exchange(collective, kModel, MakeParts(Clipped("dcgd", "clip:1"), 1));
    testing::Buckets<double> buckets(kModel, testing::OneEach(kModel));
    DirectSink<double> direct(exchange);
    try {
      buckets.Exchange(direct, 0);
      FAIL();
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("clip:1 acts on the whole gradient at once, and a bucket of step 0 came "
                                          "without the others"));
    }
  });
}

TEST(ModelScope, AStepThatNeverCompletesEndsWithTheThread) {
  testing::RunRanks(1, [&](Collective& collective) {
    Exchange<double> exchange(collective, kModel, MakeParts(Clipped("dcgd", "clip:1"), 1));
    testing::Buckets<double> buckets(kModel, testing::OneEach(kModel));
    std::promise<void> done;
    ExchangeThread<double> thread(exchange);
    thread.Push(0, buckets.At(0),
                [&](std::exception_ptr failure) { failure ? done.set_exception(failure) : done.set_value(); });
    thread.Close();
    EXPECT_THROW(done.get_future().get(), Error);
  });
}

TEST(ModelScope, AStepThatLacksBucketsHoldsUpNoInspectionAndFailsWithTheNextOne) {
  testing::RunRanks(1, [&](Collective& collective) {
    Exchange<double> exchange(collective, kModel, MakeParts(Clipped("dcgd", "clip:1"), 1));
    testing::Buckets<double> buckets(kModel, testing::OneEach(kModel));
    std::promise<void> first, second;
    ExchangeThread<double> thread(exchange);
    const auto answer = [](std::promise<void>& promise) {
      return [&promise](std::exception_ptr failure) { failure ? promise.set_exception(failure) : promise.set_value(); };
    };
    thread.Push(0, buckets.At(0), answer(first));
    bool visited = false;
    thread.Inspect([&](Exchange<double>&) { visited = true; });
    EXPECT_TRUE(visited);
    thread.Push(1, buckets.At(0), answer(second));
    EXPECT_THROW(first.get_future().get(), Error);
    EXPECT_THROW(second.get_future().get(), Error);
  });
}

/// Zeros are sent of what was not used: it is no part of the norm.
TEST(ModelScope, WhatIsUnusedIsNoPartOfTheNorm) {
  testing::RunRanks(1, [&](Collective& collective) {
    ExchangeParts parts = MakeParts(Clipped("clip21_sgd2m", "clip:0.1"), 1);
    parts.zeros_keep_memory = true;
    Exchange<double> exchange(collective, kModel, parts);
    ExchangeThread<double> thread(exchange);
    testing::Buckets<double> buckets(kModel, testing::OneEach(kModel));
    const auto step = [&](uint64_t k, bool uses_first) {
      size_t i = 0;
      for (uint32_t p = 0; p < kModel.size(); ++p)
        for (double& x : buckets.Of(p)) x = Element(0, k, i++);
      if (!uses_first) std::ranges::fill(buckets.Of(0), 0.0);
      buckets.Exchange(thread, k);
    };
    step(0, true);
    std::vector<double> before, after;
    const auto shift = [&](std::vector<double>& of) {
      thread.Inspect([&](Exchange<double>& inside) {
        for (uint32_t p = 0; p < 3; ++p) {
          const auto h = inside.state().Vector(p, "h");
          of.insert(of.end(), h.begin(), h.end());
        }
      });
    };
    shift(before), step(1, false), shift(after);
    double square = 0;
    for (size_t i = 0; i < after.size(); ++i) square += (after[i] - before[i]) * (after[i] - before[i]);
    EXPECT_NEAR(std::sqrt(square), 0.5 * 0.1, 1e-9) << "alpha times all of the clipped length";
    EXPECT_TRUE(std::equal(before.begin(), before.begin() + 70000, after.begin()));
  });
}

/// What cannot be seen first: other ranks' pieces on the way back, and what is not clipping alone.
TEST(ModelScope, IsRefusedWhereTheNormIsNotKnown) {
  const auto refusal = [](const CommConfig& comm) -> std::string {
    try {
      testing::RunRanks(1, [&](Collective& collective) { Exchange<double>(collective, kModel, MakeParts(comm, 1)); });
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "taken";
  };
  EXPECT_EQ(refusal(Clipped("clip21", "clip:1")), "taken");
  EXPECT_THAT(refusal(Clipped("dcgd", "scaled(clip:1,2)")), HasSubstr("scaled(clip:1,2) acts on the whole gradient"));
  CommConfig back = Clipped("ef", "sign");
  back.topology = "sharded", back.down = "ef", back.down_compressor = "clip:1";
  EXPECT_THAT(refusal(back), HasSubstr("clip:1 acts on the whole gradient"));
}

}  // namespace
}  // namespace gradwire
