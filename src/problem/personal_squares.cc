// SPDX-License-Identifier: Apache-2.0
#include "problem/personal_squares.h"

#include <algorithm>
#include <string>

#include <Eigen/QR>

#include "base/symmetric.h"
#include "gradwire/error.h"
#include "problem/dense.h"

namespace gradwire {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A matrix as rows of numbers, whose products are sums in a fixed order.
struct Rows {
  explicit Rows(const Matrix& m) : columns(static_cast<size_t>(m.cols())), numbers(m.data(), m.data() + m.size()) {}

  size_t count() const { return numbers.size() / columns; }
  std::span<const double> Row(size_t r) const { return {&numbers[r * columns], columns}; }
  /// out = A x - minus.
  std::vector<double> Residual(std::span<const double> x, std::span<const double> minus) const {
    std::vector<double> out(count());
    for (size_t r = 0; r < out.size(); ++r) out[r] = Dot(Row(r), x) - minus[r];
    return out;
  }
  /// out = A x.
  void Multiply(std::span<const double> x, std::span<double> out) const {
    for (size_t r = 0; r < out.size(); ++r) out[r] = Dot(Row(r), x);
  }
  /// out += A^T x.
  void AddTransposed(std::span<const double> x, std::span<double> out) const {
    for (size_t r = 0; r < x.size(); ++r)
      for (size_t j = 0; j < columns; ++j) out[j] += Row(r)[j] * x[r];
  }

  size_t columns;
  std::vector<double> numbers;
};

class PersonalSquares final : public PersonalSum {
 public:
  PersonalSquares(const Matrix& b, const Matrix& own, const std::vector<double>& c, const Matrix& inverse)
      : b_(b),
        own_(own),
        inverse_(inverse),
        left_(b - own * (inverse * b)),
        hessian_(left_matrix().transpose() * left_matrix()),
        own_hessian_(own.transpose() * own),
        c_(c),
        left_c_(c) {
    std::vector<double> y(own_dimension());
    inverse_.Multiply(c_, y);
    for (size_t r = 0; r < c_.size(); ++r) left_c_[r] -= Dot(own_.Row(r), y);
    smoothness_ = ExtremeEigenvalues(hessian_.numbers, dimension()).second;
    own_smoothness_ = ExtremeEigenvalues(own_hessian_.numbers, own_dimension()).second;
  }

  size_t dimension() const override { return b_.columns; }
  size_t samples() const override { return 1; }
  size_t own_dimension() const override { return own_.columns; }
  double own_smoothness() const override { return own_smoothness_; }

  double Value(std::span<const double> x) const override {
    const std::vector<double> r = left_.Residual(x, left_c_);
    return Dot(r, r) / 2;
  }
  double Value(std::span<const Draw> draws, std::span<const double> x) const override {
    return WeightOf(draws) * Value(x);
  }
  void Gradient(std::span<const double> x, std::span<double> out) const override {
    std::ranges::fill(out, 0.0);
    left_.AddTransposed(left_.Residual(x, left_c_), out);
  }
  void AddGradient(std::span<const Draw> draws, std::span<const double> x, std::span<double> out) const override {
    std::vector<double> r = left_.Residual(x, left_c_);
    for (double& v : r) v *= WeightOf(draws);
    left_.AddTransposed(r, out);
  }
  void AddPackedHessian(std::span<const double>, double weight, std::span<double> out) const override {
    std::vector<double> packed(out.size());
    PackSymmetric<double>(dimension(), hessian_.numbers, packed);
    for (size_t k = 0; k < out.size(); ++k) out[k] += weight * packed[k];
  }
  void AddCurvature(double weight, std::span<double> out) const override {
    for (size_t k = 0; k < out.size(); ++k) out[k] += weight * hessian_.numbers[k];
  }
  double SampleSmoothness(size_t) const override { return smoothness_; }

  double JointValue(std::span<const double> x, std::span<const double> y) const override {
    const std::vector<double> r = Residual(x, y);
    return Dot(r, r) / 2;
  }
  void SharedGradient(std::span<const double> x, std::span<const double> y, std::span<double> out) const override {
    std::ranges::fill(out, 0.0);
    b_.AddTransposed(Residual(x, y), out);
  }
  void OwnGradient(std::span<const double> x, std::span<const double> y, std::span<double> out) const override {
    std::ranges::fill(out, 0.0);
    own_.AddTransposed(Residual(x, y), out);
  }
  void MultiplyOwn(std::span<const double> v, std::span<double> out) const override { own_hessian_.Multiply(v, out); }
  void SolveOwn(std::span<const double> x, std::span<double> y) const override {
    std::vector<double> r = b_.Residual(x, c_);
    for (double& v : r) v = -v;
    inverse_.Multiply(r, y);
  }

 private:
  static double WeightOf(std::span<const Draw> draws) {
    double weight = 0;
    for (const Draw& draw : draws) weight += draw.weight;
    return weight;
  }
  Eigen::Map<const Matrix> left_matrix() const {
    return {left_.numbers.data(), static_cast<Eigen::Index>(left_.count()), static_cast<Eigen::Index>(left_.columns)};
  }
  /// B x + D y - c.
  std::vector<double> Residual(std::span<const double> x, std::span<const double> y) const {
    std::vector<double> r = b_.Residual(x, c_);
    for (size_t k = 0; k < r.size(); ++k) r[k] += Dot(own_.Row(k), y);
    return r;
  }

  Rows b_, own_, inverse_;  // B, D, D^+
  Rows left_;               // P B
  Rows hessian_, own_hessian_;
  std::vector<double> c_, left_c_;  // c, P c
  double smoothness_ = 0, own_smoothness_ = 0;
};

}  // namespace

std::shared_ptr<const PersonalSum> MakePersonalSquares(const std::vector<double>& b, const std::vector<double>& own,
                                                       const std::vector<double>& c) {
  const size_t rows = c.size();
  if (rows == 0 || b.empty() || own.empty() || b.size() % rows != 0 || own.size() % rows != 0)
    throw Error("personal least squares: found " + std::to_string(b.size()) + " and " + std::to_string(own.size()) +
                " numbers of B and D, expected whole rows, " + std::to_string(rows) + " of each as c has");
  const auto matrix = [&](const std::vector<double>& numbers) -> Matrix {
    return Eigen::Map<const Matrix>(numbers.data(), static_cast<Eigen::Index>(rows),
                                    static_cast<Eigen::Index>(numbers.size() / rows));
  };
  const Matrix d = matrix(own);
  const Matrix inverse = Eigen::CompleteOrthogonalDecomposition<Matrix>(d).pseudoInverse();
  return std::make_shared<PersonalSquares>(matrix(b), d, c, inverse);
}

}  // namespace gradwire
