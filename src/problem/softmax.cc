// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "problem/dense.h"
#include "problem/describe.h"
#include "problem/outer_products.h"

namespace gradwire {
namespace {

/// f_i(x) = sigma log sum_l exp((<a_l, x> - b_l) / sigma) - <g, x> + (lambda / 2) ||x||^2 of the rows l in [first,
/// last), with the g that makes 0 the minimiser. It is no sum over the rows, so that all of them are one sample.
class Softmax final : public FiniteSum {
 public:
  Softmax(std::shared_ptr<const LabelledRows> rows, size_t first, size_t last, double sigma, double lambda)
      : rows_(std::move(rows)), first_(first), count_(last - first), sigma_(sigma), lambda_(lambda) {
    const std::vector<double> x(dimension());
    tilt_ = Mean(Shares(x).first);
    smoothness_ = LargestSquare() / sigma_ + lambda_;
  }

  size_t dimension() const override { return rows_->columns; }
  size_t samples() const override { return 1; }

  double Value(std::span<const double> x) const override {
    return sigma_ * Shares(x).second - Dot(tilt_, x) + 0.5 * lambda_ * Dot(x, x);
  }
  double Value(std::span<const Draw> draws, std::span<const double> x) const override {
    return WeightOf(draws) * Value(x);
  }
  void Gradient(std::span<const double> x, std::span<double> out) const override {
    const std::vector<double> mean = Mean(Shares(x).first);
    for (size_t j = 0; j < x.size(); ++j) out[j] = mean[j] - tilt_[j] + lambda_ * x[j];
  }
  void AddGradient(std::span<const Draw> draws, std::span<const double> x, std::span<double> out) const override {
    const double weight = WeightOf(draws);
    std::vector<double> gradient(x.size());
    Gradient(x, gradient);
    for (size_t j = 0; j < x.size(); ++j) out[j] += weight * gradient[j];
  }

  /// The covariance of the rows that are drawn with these shares, over sigma.
  void AddPackedHessian(std::span<const double> x, double weight, std::span<double> out) const override {
    std::vector<double> shares = Shares(x).first;
    LabelledRows mean;
    mean.Append(Mean(shares), 0);
    for (double& share : shares) share *= weight / sigma_;
    AddOuterProducts(*rows_, first_, shares, out);
    const double minus = -weight / sigma_;
    AddOuterProducts(mean, 0, {&minus, 1}, out);
    for (size_t j = 0, at = 0; j < x.size(); at += x.size() - j++) out[at] += weight * lambda_;
  }
  void AddCurvature(double weight, std::span<double> out) const override {
    for (size_t j = 0; j < dimension(); ++j) out[j * (dimension() + 1)] += weight * smoothness_;
  }
  double SampleSmoothness(size_t) const override { return smoothness_; }

 private:
  static double WeightOf(std::span<const Draw> draws) {
    double weight = 0;
    for (const Draw& draw : draws) weight += draw.weight;
    return weight;
  }

  /// exp((<a_l, x> - b_l) / sigma) over their sum, and the logarithm of that sum.
  std::pair<std::vector<double>, double> Shares(std::span<const double> x) const {
    std::vector<double> shares(count_);
    for (size_t l = 0; l < count_; ++l) {
      double sum = -rows_->label[first_ + l];
      for (size_t k = Begin(l); k < Begin(l + 1); ++k) sum += rows_->value[k] * x[rows_->column[k]];
      shares[l] = sum / sigma_;
    }
    const double most = *std::ranges::max_element(shares);  // without overflow
    double sum = 0;
    for (double& share : shares) sum += share = std::exp(share - most);
    for (double& share : shares) share /= sum;
    return {std::move(shares), most + std::log(sum)};
  }

  std::vector<double> Mean(std::span<const double> shares) const {
    std::vector<double> mean(dimension());
    for (size_t l = 0; l < count_; ++l)
      for (size_t k = Begin(l); k < Begin(l + 1); ++k) mean[rows_->column[k]] += shares[l] * rows_->value[k];
    return mean;
  }

  /// Of the rows less g: no covariance of theirs is larger.
  double LargestSquare() const {
    double most = 0;
    for (size_t l = 0; l < count_; ++l) {
      double square = Dot(tilt_, tilt_);
      for (size_t k = Begin(l); k < Begin(l + 1); ++k)
        square += rows_->value[k] * (rows_->value[k] - 2 * tilt_[rows_->column[k]]);
      most = std::max(most, square);
    }
    return most;
  }

  size_t Begin(size_t l) const { return rows_->begin[first_ + l]; }

  std::shared_ptr<const LabelledRows> rows_;
  size_t first_, count_;
  double sigma_, lambda_, smoothness_ = 0;
  std::vector<double> tilt_;  // g
};

}  // namespace

Problem SoftmaxProblem(const std::shared_ptr<const LabelledRows>& rows, size_t workers, double sigma, double lambda) {
  CheckSamples(*rows, workers);
  if (lambda <= 0)
    throw ConfigError("softmax without a ridge may have many minimisers; expected objective.lambda above 0");
  const auto make = [&](size_t first, size_t last) {
    return std::make_shared<Softmax>(rows, first, last, sigma, lambda);
  };
  const double length = 1 / std::sqrt(static_cast<double>(rows->columns));
  Problem problem = Describe(Deal(rows->rows(), workers, make), std::vector<double>(rows->columns, length));
  problem.strong_convexity = problem.min_worker_convexity = lambda;
  return Solved(std::move(problem));
}

}  // namespace gradwire
