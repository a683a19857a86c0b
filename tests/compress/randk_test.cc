// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "support/measured_laws.h"
#include "support/strata.h"

namespace gradwire {
namespace {

using namespace testing;

TEST(DrawStrata, KeepsEachElementEquallyOften) {  // also where strata are of two lengths
  constexpr int kDraws = 100000;
  for (const auto& [n, k] : std::vector<std::pair<size_t, size_t>>{{6, 3}, {7, 3}, {11, 4}, {5, 1}, {9, 8}}) {
    std::vector<int> counts(n);
    for (int draw = 0; draw < kDraws; ++draw)
      for (const uint32_t position : Strata(n, k, static_cast<uint64_t>(draw))) ++counts.at(position);
    const double share = static_cast<double>(k) / static_cast<double>(n);
    for (const int count : counts) EXPECT_NEAR(count, kDraws * share, 5 * std::sqrt(kDraws * share * (1 - share))) << n;
  }
}

TEST(DrawStrata,
     DrawsWithinStrataIndependently) {  // of 6 and 3: all 2^3 choices, shifted by 0 or 1, beyond which they repeat
  constexpr int kDraws = 100000;
  std::map<std::vector<uint32_t>, int> counts;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<uint32_t> kept = Strata(6, 3, static_cast<uint64_t>(draw));
    std::ranges::sort(kept);
    ++counts[kept];
  }
  // 0 2 4 and 1 3 5 come by either shift, each other choice of one.
  EXPECT_EQ(counts.size(), 14u);
  for (const auto& [kept, count] : counts) {
    const double share = kept[1] - kept[0] == 2 && kept[2] - kept[1] == 2 ? 2.0 / 16 : 1.0 / 16;
    EXPECT_NEAR(count, kDraws * share, 5 * std::sqrt(kDraws * share * (1 - share)));
  }
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
