// SPDX-License-Identifier: Apache-2.0
#include "gradwire/quadratic.h"

#include <cmath>
#include <numeric>

namespace gradwire {
namespace {

/// out = a x for a row-major d x d matrix.
std::vector<double> Multiply(const std::vector<double>& a, const std::vector<double>& x) {
  const size_t d = x.size();
  std::vector<double> out(d);
  for (size_t i = 0; i < d; ++i)
    for (size_t j = 0; j < d; ++j) out[i] += a[i * d + j] * x[j];
  return out;
}

constexpr size_t kQhDimension = 20;
constexpr int kQhWorkers = 10;

/// QH's eigenvalues of worker i and its b in the eigenbasis.
double QhEigenvalue(int i, size_t j) { return 1 + 9.0 * ((7 * static_cast<int>(j) + 3 * i) % 20) / 19; }
double QhTarget(int i, size_t j) { return 10 * std::sin(i + 2.0 * static_cast<double>(j) + 1); }

/// R = I - 2 u u^T / u^T u with u_j = cos(1 + j): the Householder reflection that hides the eigenbasis.
std::vector<double> QhBasis() {
  std::vector<double> u(kQhDimension), basis(kQhDimension * kQhDimension);
  for (size_t j = 0; j < kQhDimension; ++j) u[j] = std::cos(1.0 + static_cast<double>(j));
  const double norm = std::inner_product(u.begin(), u.end(), u.begin(), 0.0);
  for (size_t i = 0; i < kQhDimension; ++i)
    for (size_t j = 0; j < kQhDimension; ++j)
      basis[i * kQhDimension + j] = (i == j ? 1.0 : 0.0) - 2 * u[i] * u[j] / norm;
  return basis;
}

}  // namespace

Quadratic::Quadratic(std::vector<double> a, std::vector<double> b, std::vector<double> start,
                     std::vector<double> minimiser)
    : a_(std::move(a)), b_(std::move(b)), x_(std::move(start)), minimiser_(std::move(minimiser)), gradient_(x_.size()),
      parameters_{{"x", {static_cast<int64_t>(x_.size())}}}, segment_{0, 0, x_.size()} {}

void Quadratic::Gradient(const Round& round, BucketSink<double>& sink) {
  gradient_ = Multiply(a_, x_);
  for (size_t j = 0; j < x_.size(); ++j) gradient_[j] -= b_[j];
  PushAndWait(sink, round, {0, {&segment_, 1}, gradient_, x_});
}

void Quadratic::Step(double lr) {
  for (size_t j = 0; j < x_.size(); ++j) x_[j] -= lr * gradient_[j];
}

double Quadratic::Distance() const {
  double sum = 0;
  for (size_t j = 0; j < x_.size(); ++j) sum += (x_[j] - minimiser_[j]) * (x_[j] - minimiser_[j]);
  return std::sqrt(sum);
}

Quadratic MakeQ3(int worker) {
  std::vector<double> v(3, 2), a(9);
  v[static_cast<size_t>(worker)] = -3;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) a[3 * i + j] = 2 * v[i] * v[j] + (i == j ? 0.5 : 0.0);
  return {a, {0, 0, 0}, {1, 1, 1}, {0, 0, 0}};
}

Quadratic MakeQH(int worker) {
  constexpr size_t d = kQhDimension;
  const std::vector<double> basis = QhBasis();
  std::vector<double> a(d * d), target(d), minimiser(d);
  for (size_t i = 0; i < d; ++i)
    for (size_t j = 0; j < d; ++j)
      for (size_t k = 0; k < d; ++k) a[i * d + j] += basis[i * d + k] * QhEigenvalue(worker, k) * basis[j * d + k];
  for (size_t j = 0; j < d; ++j) {
    double sum_b = 0, sum_a = 0;
    for (int i = 0; i < kQhWorkers; ++i) sum_b += QhTarget(i, j), sum_a += QhEigenvalue(i, j);
    target[j] = QhTarget(worker, j);
    minimiser[j] = sum_b / sum_a;
  }
  return {a, Multiply(basis, target), std::vector<double>(d), Multiply(basis, minimiser)};
}

}  // namespace gradwire
