// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "compress/stream.h"
#include "kernels/sample.h"
#include "support/measured_laws.h"

namespace gradwire {
namespace {

using namespace testing;

std::vector<size_t> Subset(size_t n, size_t k, uint64_t step) {
  std::vector<uint64_t> set(kernels::SetWords(n));
  Philox random = StreamOf(SiteOf(Piece::Whole(n), step));
  kernels::SampleSubset(random, n, k, set);
  std::vector<size_t> positions;
  kernels::ForSet(set, [&](size_t i) { positions.push_back(i); });
  return positions;
}

TEST(SampleSubset, DrawsEverySubsetEquallyOften) {
  constexpr int kDraws = 100000, kSubsets = 20;  // 3 of 6
  std::map<std::vector<size_t>, int> counts;
  for (int draw = 0; draw < kDraws; ++draw) ++counts[Subset(6, 3, static_cast<uint64_t>(draw))];
  EXPECT_EQ(counts.size(), static_cast<size_t>(kSubsets));
  const double expected = 1.0 * kDraws / kSubsets, sigma = std::sqrt(expected * (1 - 1.0 / kSubsets));
  for (const auto& [subset, count] : counts) EXPECT_NEAR(count, expected, 5 * sigma);
}

RC_GTEST_PROP(SampleSubset, HasKDifferentPositionsBelowN, ()) {
  const size_t n = *rc::gen::inRange<size_t>(1, 3000), k = *rc::gen::inRange<size_t>(0, n + 1);
  const std::vector<size_t> positions = Subset(n, k, *rc::gen::arbitrary<uint64_t>());
  RC_ASSERT(positions.size() == k);
  RC_ASSERT(std::ranges::adjacent_find(positions, std::greater_equal<>()) == positions.end());
  RC_ASSERT((k == 0 || positions.back() < n));
}

/// ||C(x) - x||^2.
template <typename T>
double SquaredError(const std::string& spec, const Site& site, const std::vector<T>& x) {
  const std::vector<T> sent = Apply(*ParseCompressor(spec), site, x);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += std::pow(static_cast<double>(sent[i]) - x[i], 2);
  return sum;
}

TEST(RandK, ScalesWhatItKeepsByDOverK) {  // d = 5, k = 2: times 5/2
  const std::vector<double> x = {-0.4, 12.1, 0.76, 2.8, -9.7};
  const std::vector<double> sent = Apply(*ParseCompressor("randk:2"), SiteOf(Piece::Whole(5)), x);
  EXPECT_EQ(std::ranges::count(sent, 0.0), 3);
  for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(sent[i] == 0 || sent[i] == 2.5 * x[i]);
}

TEST(RandK, VarianceIsExactlyOmega) {  // E||C(x)-x||^2 = (d/k - 1) ||x||^2 for every x
  const std::vector<double> x = {0.4, -1.5, 3, 0.25, -0.75, 2};
  const double norm = static_cast<double>(SquaredNorm(x));
  Mean scaled, unscaled;
  for (uint64_t step = 0; step < 40000; ++step) {
    const Site site = SiteOf(Piece::Whole(6), step);
    scaled.Add(SquaredError("randk:2", site, x) / norm);
    unscaled.Add(SquaredError("randk:2:unscaled", site, x) / norm);
  }
  EXPECT_NEAR(scaled.mean(), 2, 5 * scaled.error());
  EXPECT_NEAR(unscaled.mean(), 1 - 2.0 / 6, 5 * unscaled.error());
  EXPECT_EQ(ParseCompressor("randk:2")->omega(Piece::Whole(6)), 2);
  EXPECT_EQ(ParseCompressor("randk:2:unscaled")->delta(Piece::Whole(6)), 2.0 / 6);
  EXPECT_EQ(ParseCompressor("randk:2:unscaled")->omega(Piece::Whole(6)), std::nullopt);
}

TEST(RandK, ErrorOfEqualMagnitudesIsOmegaInEveryDraw) {
  for (uint64_t step = 0; step < 20; ++step)
    EXPECT_EQ(SquaredError("randk:4", SiteOf(Piece::Whole(8), step), std::vector<float>(8, 1)), 8);  // (8/4 - 1) 8
}

std::vector<float> Kept(const std::string& spec, Site site, uint32_t worker) {
  site.worker = worker;
  return Apply(*ParseCompressor(spec), site, std::vector<float>(1000, 1));
}

TEST(RandK, WorkersTossTheirOwnCoinsUnlessCommon) {
  const Site site = SiteOf(Piece::Whole(1000));
  EXPECT_NE(Kept("randk:10", site, 0), Kept("randk:10", site, 1));
  EXPECT_EQ(Kept("randk:10:common", site, 0), Kept("randk:10:common", site, 1));
  EXPECT_NE(Kept("randk:10:common", site, 0), Kept("randk:10:common", SiteOf(Piece::Whole(1000), 12), 0));
  EXPECT_FALSE(ParseCompressor("randk:10")->linear());
  EXPECT_TRUE(ParseCompressor("randk:10:common")->linear());
}

TEST(RandK, CommonPayloadsOfWorkersAreSummedElementByElement) {
  const auto randk = ParseCompressor("randk:10%:common");
  const Piece piece = Piece::Whole(500);
  std::vector<float> sum(50), mean(500), wanted(500);
  Lane lane;
  const float half = 0.5f;
  for (const uint32_t worker : {0, 1}) {
    Site site = SiteOf(piece);
    site.worker = worker;
    const std::vector<std::byte> bytes = Encode(*randk, site, Gaussian<float>(500, worker)).bytes;
    ASSERT_EQ(bytes.size(), 50 * sizeof(float));
    for (size_t j = 0; j < 50; ++j) {
      float value;
      std::memcpy(&value, &bytes[j * sizeof(float)], sizeof(float));
      sum[j] += value;
    }
    const Payload payload{bytes, worker};
    randk->Decode(site, lane, {&payload, 1}, std::span(&half, 1), Into::kAdd, wanted);
  }
  const Payload summed{std::as_bytes(std::span(sum)), 0};
  randk->Decode(SiteOf(piece), lane, {&summed, 1}, std::span(&half, 1), Into::kWrite, mean);
  for (size_t i = 0; i < mean.size(); ++i) EXPECT_NEAR(mean[i], wanted[i], 1e-5) << i;
}

TEST(RandK, SendsNoPositions) {
  EXPECT_EQ(ParseCompressor("randk:10")->Bytes(Piece::Whole(65536), Dtype::kF32), 40u);
  EXPECT_EQ(ParseCompressor("randk:1%")->Bytes(Piece::Whole(65536), Dtype::kF64), 655u * 8);
}

}  // namespace
}  // namespace gradwire
