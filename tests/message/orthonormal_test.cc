// SPDX-License-Identifier: Apache-2.0
#include "message/orthonormal.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/vectors.h"

namespace gradwire {
namespace {

using namespace testing;

template <typename T>
double Product(const std::vector<T>& vectors, size_t n, size_t a, size_t b) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i)
    sum += static_cast<double>(vectors[a * n + i]) * static_cast<double>(vectors[b * n + i]);
  return sum;
}

template <typename T>
void ExpectOrthonormal(const std::vector<T>& vectors, size_t n, size_t rank) {
  for (size_t a = 0; a < rank; ++a)
    for (size_t b = 0; b <= a; ++b)
      EXPECT_NEAR(Product(vectors, n, a, b), a == b ? 1 : 0, 4 * std::numeric_limits<T>::epsilon()) << a << ", " << b;
}

template <typename T>
class Orthonormal : public ::testing::Test {
 protected:
  static constexpr size_t kLength = 77, kRank = 5;
  /// Five vectors, the fourth of which is nearly the first.
  std::vector<T> vectors = [] {
    std::vector<T> all = Gaussian<T>(kLength * kRank);
    for (size_t i = 0; i < kLength; ++i) all[3 * kLength + i] = all[i] * (1 + T(0.001) * all[4 * kLength + i]);
    return all;
  }();
  const Site site = {.seed = 3, .piece = Piece::Whole(kLength * kRank)};
  Lane lane;
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Orthonormal, Types);

TYPED_TEST(Orthonormal, VectorsSpanWhatTheySpanned) {
  const std::vector<TypeParam> before = this->vectors;
  Orthonormalise<TypeParam>(this->vectors, this->kRank, this->lane, nullptr);
  ExpectOrthonormal(this->vectors, this->kLength, this->kRank);
  for (size_t r = 0; r < this->kRank;
       ++r) {  // what of a vector lies in the span of the first r + 1 new ones is all of it
    double inside = 0, all = 0;
    for (size_t i = 0; i < this->kLength; ++i) all += std::pow(static_cast<double>(before[r * this->kLength + i]), 2);
    for (size_t s = 0; s <= r; ++s) {
      double product = 0;
      for (size_t i = 0; i < this->kLength; ++i)
        product += static_cast<double>(before[r * this->kLength + i]) *
                   static_cast<double>(this->vectors[s * this->kLength + i]);
      inside += product * product;
    }
    EXPECT_NEAR(inside / all, 1, 20 * std::numeric_limits<TypeParam>::epsilon()) << r;
  }
}

TYPED_TEST(Orthonormal, AVectorInTheSpanOfOthersBecomesZero) {
  for (size_t i = 0; i < this->kLength; ++i)
    this->vectors[2 * this->kLength + i] = this->vectors[i] - 3 * this->vectors[this->kLength + i];
  Orthonormalise<TypeParam>(this->vectors, this->kRank, this->lane, nullptr);
  for (size_t i = 0; i < this->kLength; ++i) EXPECT_EQ(this->vectors[2 * this->kLength + i], 0);
  EXPECT_NEAR(Product(this->vectors, this->kLength, 3, 3), 1, 1e-6);
  EXPECT_NEAR(Product(this->vectors, this->kLength, 3, 0), 0, 1e-6);
}

TYPED_TEST(Orthonormal, ButIsDrawnAnewWhereThereIsASite) {
  std::fill_n(this->vectors.begin() + 2 * this->kLength, this->kLength, TypeParam{0});
  std::vector<TypeParam> again = this->vectors;
  Orthonormalise<TypeParam>(this->vectors, this->kRank, this->lane, &this->site);
  ExpectOrthonormal(this->vectors, this->kLength, this->kRank);
  Site of_another_worker = this->site;
  of_another_worker.worker = 7;  // draws the same
  Orthonormalise<TypeParam>(again, this->kRank, this->lane, &of_another_worker);
  EXPECT_EQ(again, this->vectors);
}

TYPED_TEST(Orthonormal, SizesDoNotMatter) {
  constexpr TypeParam kHuge = std::numeric_limits<TypeParam>::max() / 64;
  for (TypeParam& x : this->vectors) x *= kHuge;
  for (size_t i = 0; i < this->kLength; ++i)
    this->vectors[i] = this->vectors[i] / kHuge * std::numeric_limits<TypeParam>::min();
  Orthonormalise<TypeParam>(this->vectors, this->kRank, this->lane, nullptr);
  ExpectOrthonormal(this->vectors, this->kLength, this->kRank);
}

}  // namespace
}  // namespace gradwire
