// SPDX-License-Identifier: Apache-2.0
// Operators that send as much as the vector or a coin asks for, NU Rand-1, and clipping.
#include <cmath>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/greedy_probabilities.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

template <typename T>
std::vector<T> Send(const std::string& spec, const std::vector<T>& x, uint64_t step = 0) {
  return Apply(*ParseCompressor(spec), SiteOf(Piece::Whole(x.size()), step), x);
}
template <typename T>
size_t SentBytes(const std::string& spec, const std::vector<T>& x, uint64_t step = 0) {
  return Encode(*ParseCompressor(spec), SiteOf(Piece::Whole(x.size()), step), x).bytes.size();
}

/// How many elements the payload says it has.
template <typename T>
size_t Kept(const std::string& spec, const std::vector<T>& x, uint64_t step = 0) {
  const auto bytes = Encode(*ParseCompressor(spec), SiteOf(Piece::Whole(x.size()), step), x).bytes;
  uint32_t k = 0;
  std::memcpy(&k, bytes.data(), sizeof(k));
  return k;
}

TEST(NuRand1, VarianceIsTheFormulasOnTheSample) {  // ||x||_1^2 / ||x||^2 - 1 = 2.892111
  const Mean measured = MeasuredRatio("nu_rand1", Sample());
  EXPECT_NEAR(measured.mean(), 2.892111, 5 * measured.error() + 5e-7);
  EXPECT_EQ(ParseCompressor("nu_rand1")->omega(Piece::Whole(6)), 5);
}

TEST(NuRand1, IsTheOneNormAtOneElement) {
  const std::vector<float> x = {0, -1, 0, 3}, left = {0, -4, 0, 0}, right = {0, 0, 0, 4};
  int rights = 0;
  for (uint64_t step = 0; step < 4000; ++step) {
    const std::vector<float> sent = Send("nu_rand1", x, step);
    ASSERT_TRUE(sent == left || sent == right);
    rights += sent == right;
  }
  EXPECT_NEAR(rights, 3000, 5 * std::sqrt(4000 * 3.0 / 16));
  EXPECT_EQ(ParseCompressor("nu_rand1")->Bytes(Piece::Whole(65536), Dtype::kF32), 6u);
}

TEST(NuRand1, OmegaIsAttainedByEqualMagnitudes) {  // d - 1, in every draw
  EXPECT_DOUBLE_EQ(ErrorRatio(*ParseCompressor("nu_rand1"), SiteOf(Piece::Whole(8)), std::vector<double>(8, 1)), 7);
}

TEST(NuRandK, VarianceAndCountAreTheFormulas) {  // sum x^2 (1/p - 1) and sum p
  const std::vector<double> x = Sample(), p = GreedyProbabilities(x, 3);
  double variance = 0, count = 0;
  for (size_t i = 0; i < x.size(); ++i) variance += x[i] * x[i] * (1 / p[i] - 1), count += p[i];
  const Mean measured = MeasuredRatio("nu_randk:3", x);
  EXPECT_NEAR(measured.mean(), variance / static_cast<double>(SquaredNorm(x)), 5 * measured.error());
  EXPECT_NEAR(count, 3, 1e-12);
  Mean kept;
  for (uint64_t step = 0; step < 20000; ++step) kept.Add(Kept("nu_randk:3", x, step));
  EXPECT_NEAR(kept.mean(), 3, 5 * kept.error());
}

TEST(NuRandK, KeepsAllWhereKIsTheirNumber) {
  const std::vector<float> x = {1, -1e-20f, 0, 5};
  EXPECT_EQ(Send("nu_randk:4", x), x);
  EXPECT_EQ(SentBytes("nu_randk:4", x), 4u + 3 * 4 + 1);  // 3 of 4 positions: 3 bits
}

TEST(Bernoulli, SendsAllOrNothingAsOftenAsItsProbabilitySays) {
  const std::vector<float> x = {1, -3}, scaled = {4, -12}, none = {0, 0};
  int sent = 0;
  for (uint64_t step = 0; step < 4000; ++step) {
    const bool sends = SentBytes("bernoulli:0.25", x, step) == 8;
    EXPECT_EQ(Send("bernoulli:0.25", x, step), sends ? scaled : none);
    sent += sends;
  }
  EXPECT_NEAR(sent, 1000, 5 * std::sqrt(4000 * 3.0 / 16));
  EXPECT_EQ(ParseCompressor("bernoulli:0.25")->omega(Piece::Whole(2)), 3);  // 1/p - 1
  EXPECT_EQ(Send("bernoulli:1", x), x);
}

TEST(Bernoulli, RefusesWhatTheCoinDoesNotSay) {
  const auto bernoulli = ParseCompressor("bernoulli:0.5");
  bool refused[2] = {};
  for (uint64_t step = 0; step < 20; ++step) {
    const Site site = SiteOf(Piece::Whole(2), step);
    const bool sends = !Encode(*bernoulli, site, std::vector<float>{1, 2}).bytes.empty();
    EXPECT_THROW(Decode<float>(*bernoulli, site, std::vector<std::byte>(sends ? 0 : 8)), PeerError);
    refused[sends] = true;
  }
  EXPECT_TRUE(refused[0] && refused[1]);
}

TEST(Threshold, KeepsMagnitudesFromLambdaOn) {
  const std::vector<float> x = {0.5f, -0.4999f, 3, 0, -0.5f}, kept = {0.5f, 0, 3, 0, -0.5f};
  EXPECT_EQ(Send("threshold:0.5", x), kept);
  EXPECT_EQ(SentBytes("threshold:0.5", x), 4u + 3 * 4 + 1);  // their number, values, 5 bits of positions
  EXPECT_EQ(SentBytes("threshold:4", x), 4u);
  EXPECT_EQ(ParseCompressor("threshold:0.5")->delta(Piece::Whole(5)), std::nullopt);
}

TEST(Adaptive, KeepsAShareOfTheLargest) {  // Islamov et al. 2022, arXiv 2206.03588
  const std::vector<double> x = {1, -2, 0.9, 0, -1.5}, kept = {1, -2, 0, 0, -1.5};
  EXPECT_EQ(Send("adaptive:0.5", x), kept);
  EXPECT_EQ(Send("adaptive:1", x), (std::vector<double>{0, -2, 0, 0, 0}));
}

TEST(Adaptive, DeltaIsReachedInTheLimit) {  // all others just below lambda times the largest: 1 / (1 + (d-1) lambda^2)
  std::vector<double> x(100, 0.4999999999);
  x[3] = 1;
  const double wanted = 1 - *ParseCompressor("adaptive:0.5")->delta(Piece::Whole(100));
  EXPECT_NEAR(ErrorRatio(*ParseCompressor("adaptive:0.5"), SiteOf(Piece::Whole(100)), x), wanted, 1e-8);
  EXPECT_DOUBLE_EQ(wanted, 1 - 1 / (1 + 99 * 0.25));
}

TEST(Clip, ShortensToTau) {  // ||clip(x) - x|| = ||x|| - tau
  const std::vector<double> x = {3, 4, 12}, sent = Send("clip:6.5", x);
  EXPECT_EQ(sent, (std::vector<double>{1.5, 2, 6}));
  EXPECT_EQ(Send("clip:13", x), x);
  EXPECT_EQ(ParseCompressor("clip:1")->scope(), Scope::kModel);
  EXPECT_EQ(ParseCompressor("induced(topk:1%,compose(randk:1%,scaled(identity,1)))")->scope(), Scope::kPiece);
  EXPECT_EQ(ParseCompressor("clip:1:piece")->scope(), Scope::kPiece);
  EXPECT_EQ(Send("clip:6.5:piece", x), sent);
  EXPECT_EQ(ParseCompressor("scaled(clip:1,2)")->scope(), Scope::kModel);
  const float largest = std::numeric_limits<float>::max();
  EXPECT_NEAR(static_cast<double>(SquaredNorm(Send("clip:2", std::vector<float>(100, largest)))), 4, 1e-5);
}

TEST(VaryingPayloads, OfAnImpossibleSizeAreRefused) {
  const Site site = SiteOf(Piece::Whole(3));
  for (const char* spec : {"threshold:1", "adaptive:0.1", "nu_randk:2"})
    for (const size_t bytes : {0, 1, 3, 5, 8, 17})  // none is kept: 4 bytes
      EXPECT_THROW(Decode<float>(*ParseCompressor(spec), site, std::vector<std::byte>(bytes)), PeerError) << spec;
}

TEST(VaryingPayloads, OfAnImpossibleNumberOfElementsAreRefused) {
  const Site site = SiteOf(Piece::Whole(3));
  const auto threshold = ParseCompressor("threshold:1");
  std::vector<std::byte> bytes = Encode(*threshold, site, std::vector<float>{1, 2, 0}).bytes;
  ASSERT_EQ(bytes.size(), 4u + 2 * 4 + 1);
  for (const uint32_t k : {0u, 1u, 3u, 4u, 0xffffffffu}) {
    std::memcpy(bytes.data(), &k, sizeof(k));
    EXPECT_THROW(Decode<float>(*threshold, site, bytes), PeerError) << k;
  }
}

}  // namespace
}  // namespace gradwire
