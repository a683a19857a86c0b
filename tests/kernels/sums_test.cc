// SPDX-License-Identifier: Apache-2.0
// The order of additions of src/wire/FORMAT.md, "Sums".
#include <vector>

#include <gtest/gtest.h>

#include "kernels/kernels.h"
#include "support/vectors.h"

namespace gradwire {
namespace {

using namespace testing;

/// As the document says it: lists, and lists of sums.
template <typename S>
S Documented(const std::vector<S>& terms) {
  std::vector<S> sums;
  for (size_t first = 0; first < terms.size(); first += 1024) {
    S lanes[64] = {};
    for (size_t i = first; i < std::min<size_t>(first + 1024, terms.size()); ++i) lanes[(i - first) % 64] += terms[i];
    for (const size_t half : {32, 16, 8, 4, 2, 1})
      for (size_t j = 0; j < half; ++j) lanes[j] += lanes[j + half];
    sums.push_back(lanes[0]);
  }
  return sums.empty() ? S{0} : sums.size() == 1 ? sums[0] : Documented(sums);
}

TEST(Sums, AreInTheOrderOfTheFormat) {
  for (const size_t n : {0, 1, 15, 17, 1023, 1024, 1025, 5000, 65536, 1024 * 1024, 1024 * 1024 + 1, 3'000'000}) {
    const std::vector<float> u = Gaussian<float>(n, n + 1);
    std::vector<double> magnitudes, squares;
    std::vector<float> in_float;
    for (const float x : u) {
      magnitudes.push_back(std::abs(static_cast<double>(x)) * 0.5);
      squares.push_back(static_cast<double>(x) * 0.5 * (static_cast<double>(x) * 0.5));
      in_float.push_back(std::abs(x));
    }
    EXPECT_EQ(kernels::SumOfMagnitudes<float>(u, 0.5), Documented(magnitudes)) << n;
    EXPECT_EQ(kernels::SumOfSquares<float>(u, 0.5), Documented(squares)) << n;
    if (n == 0) continue;
    EXPECT_EQ(kernels::MeanMagnitude<float>(u), Documented(in_float) / static_cast<float>(n)) << n;
  }
}

}  // namespace
}  // namespace gradwire
