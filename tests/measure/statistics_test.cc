// SPDX-License-Identifier: Apache-2.0
#include "measure/statistics.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

std::vector<double> UpTo(size_t n) {
  std::vector<double> values(n);
  std::iota(values.rbegin(), values.rend(), 1.0);
  return values;
}

TEST(MedianInterval, TakesTheOrderStatisticsOfTheBinomialDistribution) {
  // P(fewer than 6 of 21 below the median) = 27,896 / 2^21 = 1.3 %, fewer than 7: 3.9 %.
  const Interval of_21 = MedianInterval(UpTo(21));
  EXPECT_EQ(of_21.median, 11);
  EXPECT_EQ(of_21.low, 6);
  EXPECT_EQ(of_21.high, 16);
  const Interval of_6 = MedianInterval(UpTo(6));  // 1 of 64 on each side
  EXPECT_EQ(of_6.median, 3.5);
  EXPECT_EQ(of_6.low, 1);
  EXPECT_EQ(of_6.high, 6);
  const Interval of_100 = MedianInterval(UpTo(100));  // as tables of sign tests have it
  EXPECT_EQ(of_100.low, 40);
  EXPECT_EQ(of_100.high, 61);
}

TEST(MedianInterval, OfFewIsTheirRangeAndOfNoneAnError) {
  const Interval of_1 = MedianInterval({7});
  EXPECT_EQ(of_1.low, 7);
  EXPECT_EQ(of_1.high, 7);
  EXPECT_EQ(MedianInterval({3, 1}).median, 2);
  EXPECT_THROW(MedianInterval({}), Error);
}

TEST(MedianInterval, HoldsTheTrueMedianInNineteenOfTwentySeries) {
  Philox random(1, Purpose::kSynthetic);
  int held = 0;
  for (int series = 0; series < 2000; ++series) {
    std::vector<double> values(21);
    for (double& value : values) value = std::exp(10 * random.Uniform());  // far from symmetric; median e^5
    const Interval interval = MedianInterval(values);
    held += interval.low <= std::exp(5) && std::exp(5) <= interval.high;
  }
  EXPECT_GT(held, 1900 - 4 * 10);  // standard deviation below 10
}

TEST(MedianInterval, RatiosAndDifferencesAreOfTheSameRounds) {
  EXPECT_EQ(MedianOfRatios({2, 30, 400}, {1, 10, 100}).median, 3);
  EXPECT_EQ(MedianOfDifferences({2, 30, 400}, {1, 10, 100}).median, 20);
  EXPECT_THROW(MedianOfRatios({1, 2}, {1}), Error);
}

}  // namespace
}  // namespace gradwire
