// SPDX-License-Identifier: Apache-2.0
#include "compress/smooth.h"

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compress/smooth_rules.h"
#include "compress/transform.h"
#include "gradwire/error.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;
using ::testing::HasSubstr;

using Vector = std::vector<double>;

constexpr size_t kD = 6;

Vector Times(const Vector& matrix, const Vector& x) {
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j) y[i] += matrix[i * x.size() + j] * x[j];
  return y;
}

Vector Square(const Vector& matrix) {
  Vector square(kD * kD);
  for (size_t i = 0; i < kD; ++i)
    for (size_t j = 0; j < kD; ++j)
      for (size_t k = 0; k < kD; ++k) square[i * kD + j] += matrix[i * kD + k] * matrix[k * kD + j];
  return square;
}

/// Diagonally dominant, so positive definite, with a diagonal of 2 .. 12: a square root that is known.
Vector RootOf(uint64_t seed) {
  const Vector g = Gaussian<double>(kD * kD, seed);
  Vector root(kD * kD);
  for (size_t i = 0; i < kD; ++i)
    for (size_t j = 0; j < kD; ++j)
      root[i * kD + j] = i == j ? 2.0 * static_cast<double>(i + 1) : 0.05 * (g[i * kD + j] + g[j * kD + i]);
  return root;
}

Vector Scaled(double c) {
  Vector matrix(kD * kD);
  for (size_t j = 0; j < kD; ++j) matrix[j * (kD + 1)] = c;
  return matrix;
}

/// Four workers, of which the one that the tests' sites name, 3, has this matrix.
std::shared_ptr<const Compressor> With(const std::string& spec, const Vector& matrix, double mu = 0.5) {
  return WithSmoothness(*ParseCompressor(spec), {{Scaled(1), Scaled(1), Scaled(1), matrix}, mu});
}

Vector Diagonal(const Vector& matrix) {
  Vector diagonal(kD);
  for (size_t j = 0; j < kD; ++j) diagonal[j] = matrix[j * (kD + 1)];
  return diagonal;
}

Site At(int draw) { return SiteOf(Piece::Whole(kD), static_cast<uint64_t>(draw)); }

double Dot(const Vector& x, const Vector& y) { return std::inner_product(x.begin(), x.end(), y.begin(), 0.0); }

/// Safaryan et al. 2021: E||C(v)||^2 = ||v||^2 + sum_j u_j^2 (1/p_j - 1) L_jj with v = L^{1/2} u, exactly.
TEST(Smooth, VarianceOfCoinsIsTheFormulas) {
  const Vector root = RootOf(2), matrix = Square(root), u = {0.4, -1.5, 3, 0.25, -0.75, 2}, v = Times(root, u);
  const Vector diagonal = Diagonal(matrix);
  for (const char* spec : {"smooth(coins:2)", "smooth(coins:2:diana)", "smooth(coins:2:uniform)"}) {
    const Weighing weighing = std::string(spec).ends_with("diana)")     ? Weighing::kShifted
                              : std::string(spec).ends_with("uniform)") ? Weighing::kUniform
                                                                        : Weighing::kPlain;
    const Vector p = ChancesOf({diagonal, 4, 0.5}, weighing, 2);
    double expected = Dot(v, v);
    for (size_t j = 0; j < kD; ++j) expected += u[j] * u[j] * (1 / p[j] - 1) * diagonal[j];
    const auto compressor = With(spec, matrix);
    Mean square;
    for (int draw = 0; draw < 40000; ++draw) {
      const Vector sent = Apply(*compressor, At(draw), v);
      square.Add(Dot(sent, sent));
    }
    EXPECT_NEAR(static_cast<double>(square.mean()), expected, 5 * static_cast<double>(square.error())) << spec;
    EXPECT_LT(static_cast<double>(square.error()), 0.02 * expected) << spec << ": tells nothing";
  }
}

TEST(Smooth, IsUnbiasedAndWithinItsConstants) {
  const Vector matrix = Square(RootOf(3));
  for (const char* spec : {"smooth(coins:2)", "smooth(coins:2:diana)", "smooth(steps)", "smooth(steps:1:diana)",
                           "smooth(steps:0.7:uniform)", "smooth(blocks)", "smooth(blocks:2:diana)"}) {
    const auto compressor = With(spec, matrix);
    EXPECT_EQ(compressor->spec(), spec);
    const PieceCase<double> c{spec, At(0), Gaussian<double>(kD, 9), /*is_bound=*/true};
    EXPECT_EQ(MeanIsTheVector(*compressor, c), "") << spec;
    EXPECT_EQ(OmegaHolds(*compressor, c), "") << spec;
  }
}

/// Wang et al. 2022: E||Q_h(u) - u||^2_{diag(L)} <= Lt ||u||^2, which is E||C(v) - v||^2.
TEST(Smooth, ErrorOfStepsIsWithinTheBound) {
  const Vector root = RootOf(4), matrix = Square(root), diagonal = Diagonal(matrix);
  for (const char* spec : {"smooth(steps:1)", "smooth(steps:1:diana)", "smooth(steps:1:uniform)", "smooth(blocks:1)"}) {
    const auto compressor = With(spec, matrix);
    double most = 0;
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      const Vector u = Gaussian<double>(kD, seed), v = Times(root, u);
      Mean error;
      for (int draw = 0; draw < 2000; ++draw) error.Add(ErrorRatio(*compressor, At(draw), v) * Dot(v, v) / Dot(u, u));
      most = std::max(most, static_cast<double>(error.mean() - error.margin()));
    }
    EXPECT_LE(most, *SmoothVariance(*compressor)) << spec;
    EXPECT_GT(most, 0.05 * *SmoothVariance(*compressor)) << spec << ": a bound of anything";
  }
}

TEST(Smooth, OfIIsWhatItWrapsBitForBit) {
  const Vector x = Gaussian<double>(kD, 5);
  for (const auto& [spec, bare] :
       {std::pair("smooth(coins:2:uniform)", "coins:2"), {"smooth(steps:1.5:uniform)", "steps:1.5"}}) {
    const auto bound = With(spec, Scaled(1)), plain = ParseCompressor(bare);
    for (int draw = 0; draw < 20; ++draw) {
      EXPECT_TRUE(Encode(*bound, At(draw), x) == Encode(*plain, At(draw), x)) << spec;
      EXPECT_TRUE(SameBits(Apply(*bound, At(draw), x), Apply(*plain, At(draw), x))) << spec;
    }
    EXPECT_NEAR(*OmegaOfImage(*bound, Piece::Whole(kD)), *plain->omega(Piece::Whole(kD)), 1e-12) << spec;
  }
}

/// A slope along a vector on which f_i does not bend would be lost; there is none.
TEST(Smooth, OfASingularMatrixKeepsItsRange) {
  Vector matrix(kD * kD);
  const Vector a = {1, 2, 0, -1, 0.5, 0}, b = {0, 1, 0, 3, 0, 0};
  for (size_t i = 0; i < kD; ++i)
    for (size_t j = 0; j < kD; ++j) matrix[i * kD + j] = a[i] * a[j] + b[i] * b[j];
  const auto compressor = With("smooth(coins:6)", matrix);  // every element that is not always 0
  Vector v(kD);
  for (size_t j = 0; j < kD; ++j) v[j] = 2 * a[j] - b[j];
  const Vector sent = Apply(*compressor, At(0), v);
  for (size_t j = 0; j < kD; ++j) EXPECT_NEAR(sent[j], v[j], 1e-12);
}

TEST(SmoothRules, ChancesByHand) {
  using ::testing::DoubleNear;
  using ::testing::ElementsAre;
  const auto are = [](double a, double b) { return ElementsAre(DoubleNear(a, 1e-12), DoubleNear(b, 1e-12)); };
  const Vector l = {1, 3}, none = {0, 3};
  EXPECT_THAT(ChancesOf({l}, Weighing::kPlain, 1.25), are(0.5, 0.75));                  // rho = 1
  EXPECT_THAT(ChancesOf({l, 2, 0.5}, Weighing::kShifted, 7.0 / 6), are(0.5, 2.0 / 3));  // of 2 and 4, rho = 2
  EXPECT_THAT(ChancesOf({l}, Weighing::kUniform, 1), are(0.5, 0.5));
  EXPECT_THAT(ChancesOf({l}, Weighing::kPlain, 2), are(1, 1));
  EXPECT_THAT(ChancesOf({none}, Weighing::kPlain, 0.75), are(0, 0.75));
  EXPECT_NEAR(VarianceOf(l, Vector{0.5, 0.75}), 1, 1e-12);  // (1/p - 1) L is rho for both
}

/// h_j = sqrt(sum a / a_j) / beta, beta = levels sqrt(d) = ||h^-1||.
TEST(SmoothRules, StepsByHand) {
  const Vector l = {1, 4};
  const QuantiserSteps plain = StepsOf({l}, Weighing::kPlain, 2);
  EXPECT_NEAR(plain.h[0], std::sqrt(5.0 / 8), 1e-12);
  EXPECT_NEAR(plain.h[1], std::sqrt(5.0 / 32), 1e-12);
  EXPECT_NEAR(std::hypot(1 / plain.h[0], 1 / plain.h[1]), 2 * std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(VarianceOf(l, plain), std::sqrt(5.0 / 8 + 5.0 / 2), 1e-12);
  const QuantiserSteps shifted = StepsOf({l, 2, 1 / std::sqrt(3.0) / 2}, Weighing::kShifted, 1);  // a = 2, 7
  EXPECT_NEAR(shifted.h[0], std::sqrt(9.0 / 4), 1e-12);
  EXPECT_NEAR(shifted.h[1], std::sqrt(9.0 / 14), 1e-12);
  EXPECT_NEAR(StepsOf({l}, Weighing::kUniform, 2).h[1], 0.5, 1e-12);
}

/// d = 3 in two blocks, beta - B = sqrt(3). kPlain: A = 5, 2; T1 = sqrt(29/3), TB = (5 sqrt(2) + 2)/3, D = sqrt(3) TB +
/// T1 sqrt(sqrt(3)) = 9.329302; kShifted with n mu = 1: A = sqrt(2) + 5, 3; T1 = 1 + sqrt(29/3), TB = (2 + 5 sqrt(2) +
/// 3)/3, D = sqrt(3) TB / 2 + sqrt(3 TB^2/4 + sqrt(3) T1^2) = 9.960636.
TEST(SmoothRules, BlocksByHand) {
  const Vector l = {3, 4, 2};
  const double root = std::sqrt(3.0), tb = (5 * std::sqrt(2.0) + 2) / 3, t1 = std::sqrt(29.0 / 3),
               shifted_tb = (7 * 1.0 + 5 * std::sqrt(2.0) - 2) / 3;
  const QuantiserSteps plain = BlockStepsOf({l, 2, 0.5}, Weighing::kPlain, 1),
                       shifted = BlockStepsOf({l, 2, 0.5}, Weighing::kShifted, 1);
  const double d = root * tb + t1 * std::sqrt(root),
               shifted_d =
                   root * shifted_tb / 2 + std::sqrt(3 * shifted_tb * shifted_tb / 4 + root * (1 + t1) * (1 + t1));
  EXPECT_EQ(plain.ends, (std::vector<size_t>{2, 3}));
  EXPECT_NEAR(plain.h[0], d / 5, 1e-12);
  EXPECT_NEAR(plain.h[1], d / 5, 1e-12);
  EXPECT_NEAR(plain.h[2], d / 2, 1e-12);
  EXPECT_NEAR(VarianceOf(l, plain), d, 1e-12);  // h_l ||L_l||, the same for all
  EXPECT_NEAR(shifted.h[0], shifted_d / (std::sqrt(2.0) + 5), 1e-12);
  EXPECT_NEAR(shifted.h[2], shifted_d / 3, 1e-12);
}

/// One step for all, of a whole number of levels, rounds as QSGD does.
TEST(Steps, OfOneSizeHaveTheErrorOfQsgd) {
  const Vector x = Sample();
  const double norm = std::sqrt(static_cast<double>(SquaredNorm(x)));
  double expected = 0;
  for (const double v : x) {
    const double y = 3 * std::abs(v) / norm, f = y - std::floor(y);
    expected += f * (1 - f) / 9;
  }
  const Mean steps = MeasuredRatio("steps:3", x), qsgd = MeasuredRatio("qsgd:3", x);
  EXPECT_NEAR(static_cast<double>(steps.mean()), expected, 5 * static_cast<double>(steps.error()));
  EXPECT_NEAR(static_cast<double>(qsgd.mean()), expected, 5 * static_cast<double>(qsgd.error()));
}

TEST(Coins, VarianceIsOmegaExactly) {
  const Mean measured = MeasuredRatio("coins:2", Sample());  // 6/2 - 1
  EXPECT_NEAR(static_cast<double>(measured.mean()), 2, 5 * static_cast<double>(measured.error()));
}

std::string Refusal(const std::string& spec) {
  try {
    ParseCompressor(spec);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Smooth, RefusesWhatIsNone) {
  for (const char* spec : {"smooth(topk:1)", "smooth()", "smooth(coins)", "smooth(coins:1:other)", "smooth(steps:0)",
                           "smooth(blocks:uniform)", "smooth(steps:1:2)"})
    EXPECT_THAT(Refusal(spec), HasSubstr("expected coins with their mean number")) << spec;
  EXPECT_THAT(Refusal("smooth(coins:0)"), HasSubstr("a number of elements"));
  EXPECT_THAT(Refusal("unscale(smooth(coins:1))"), HasSubstr("which parts are not given"));
  EXPECT_THAT(Refusal("steps:0"), HasSubstr("a number of levels above 0"));
  EXPECT_THROW(With("smooth(coins:1:diana)", Scaled(1), 0), ConfigError);  // no mu
  const auto of_six = With("smooth(coins:1)", Scaled(1));
  EXPECT_THROW(Apply(*of_six, SiteOf(Piece::Whole(7)), Vector(7, 1)), std::invalid_argument);
}

}  // namespace
}  // namespace gradwire
