// SPDX-License-Identifier: Apache-2.0
// Replicas that start equal stay equal in every bit, although each sees other data and computes at its own point.
#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

constexpr int kSteps = 1000;

const std::vector<Parameter> kParameters = {
    {"weight", {80, 10, 3, 3}}, {"bias", {80}}, {"small", {9, 9}}, {"wide", {37, 61}}, {"norm", {513}}};

/// A replica: the point, its gradients' buckets, and what tells whether two of them ever differed.
class Replica {
 public:
  explicit Replica(int rank) : rank_(static_cast<uint64_t>(rank)), gradients_(kParameters, {{4, 3}, {2, 1, 0}}) {
    for (const Parameter& parameter : kParameters) point_.emplace_back(parameter.numel(), 0.5f);
  }

  void Step(BucketSink<float>& sink, uint64_t step) {
    Philox noise(/*seed=*/7, Purpose::kSynthetic, rank_, step);
    for (uint32_t p = 0; p < kParameters.size(); ++p) Gradient(point_[p], noise, Scale(p), gradients_.Of(p));
    gradients_.Exchange(sink, step);
    uint64_t digest = digests_.empty() ? 0 : digests_.back();
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (size_t i = 0; i < point_[p].size(); ++i) {
        point_[p][i] -= 0.1f * gradients_.Of(p)[i] / Scale(p);
        digest = 31 * digest + std::bit_cast<uint32_t>(point_[p][i]);
      }
    digests_.push_back(digest);
  }

  const std::vector<uint64_t>& digests() const { return digests_; }  ///< of the points so far, by step

 private:
  /// Magnitudes of gradients differ from layer to layer.
  static float Scale(uint32_t parameter) { return std::ldexp(1.0f, -5 * static_cast<int>(parameter)); }

  /// A wave of the point, steep so that points which differ get other gradients, plus noise uniform in [-1, 1).
  static void Gradient(const std::vector<float>& x, Philox& noise, float scale, std::span<float> out) {
    for (size_t i = 0; i < x.size(); ++i) {
      const float wave = x[i] - static_cast<float>(static_cast<int>(x[i]));
      const float random = static_cast<float>(static_cast<int32_t>(noise.Next())) * 0x1p-31f;
      out[i] = scale * (8 * wave * (1 - std::abs(wave)) + random);
    }
  }

  uint64_t rank_;
  testing::Buckets<float> gradients_;
  std::vector<std::vector<float>> point_;
  std::vector<uint64_t> digests_;
};

/// Trains `workers` replicas and compares their traces.
void ExpectEqualReplicas(const testing::Combination& combination, int workers) {
  std::vector<std::vector<uint64_t>> digests(static_cast<size_t>(workers));
  testing::RunRanks(workers, [&](Collective& collective) {
    Exchange<float> exchange(collective, kParameters, MakeParts(combination.Config(), /*seed=*/3));
    DirectSink<float> sink(exchange);
    Replica replica(collective.rank());
    for (uint64_t step = 0; step < kSteps; ++step) replica.Step(sink, step);
    digests[static_cast<size_t>(collective.rank())] = replica.digests();
  });
  for (const auto& other : digests) {
    const auto differ = std::ranges::mismatch(digests[0], other).in1 - digests[0].begin();
    EXPECT_EQ(differ, kSteps) << "the first step after which two of " << workers << " replicas differ";
  }
}

class Replicas : public ::testing::TestWithParam<testing::Combination> {};

TEST_P(Replicas, StayBitIdenticalFor1000Steps) { ExpectEqualReplicas(GetParam(), GetParam().method == "ef" ? 3 : 2); }

INSTANTIATE_TEST_SUITE_P(, Replicas, ::testing::ValuesIn(testing::Combinations({"dcgd", "ef"}, /*first_only=*/true)),
                         [](const auto& info) { return testing::NameOf(info.param); });

TEST(FourReplicas, StayBitIdenticalFor1000Steps) { ExpectEqualReplicas({"ef", "sign"}, 4); }

}  // namespace
}  // namespace gradwire
