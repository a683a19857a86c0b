// SPDX-License-Identifier: Apache-2.0
// The quadratics. Indices are counted from 0 as in their definitions.
#include <cmath>

#include "problem/dense.h"
#include "problem/describe.h"
#include "problem/quadratic.h"

namespace gradwire {
namespace {

constexpr size_t kQhDimension = 20, kQhWorkers = 10, kQhSamples = 8;

/// R = I - 2 u u^T / u^T u with u_j = cos(1 + j): the Householder reflection that hides QH's eigenbasis.
std::vector<double> QhBasis() {
  constexpr size_t d = kQhDimension;
  std::vector<double> u(d), basis(d * d);
  for (size_t j = 0; j < d; ++j) u[j] = std::cos(1.0 + static_cast<double>(j));
  const double square = Dot(u, u);
  for (size_t i = 0; i < d; ++i)
    for (size_t j = 0; j < d; ++j) basis[i * d + j] = (i == j ? 1.0 : 0.0) - 2 * u[i] * u[j] / square;
  return basis;
}

/// c_lj = 3 cos(1 + 3 i + 5 l + 7 j), less its mean over l.
std::vector<double> QhNoise(size_t worker) {
  constexpr size_t d = kQhDimension, m = kQhSamples;
  std::vector<double> noise(m * d);
  for (size_t j = 0; j < d; ++j) {
    double mean = 0;
    for (size_t l = 0; l < m; ++l) {
      noise[l * d + j] = 3 * std::cos(static_cast<double>(1 + 3 * worker + 5 * l + 7 * j));
      mean += noise[l * d + j] / static_cast<double>(m);
    }
    for (size_t l = 0; l < m; ++l) noise[l * d + j] -= mean;
  }
  return noise;
}

/// Worker i's quadratic, with eigenvalues from 1 to `largest` in that basis.
std::shared_ptr<const FiniteSum> QhWorker(size_t i, const std::vector<double>& basis, double largest) {
  constexpr size_t d = kQhDimension;
  std::vector<double> a(d * d), b(d);
  for (size_t k = 0; k < d; ++k) {
    const double eigenvalue = 1 + (largest - 1) * static_cast<double>((7 * k + 3 * i) % d) / 19;
    const double target = 10 * std::sin(static_cast<double>(i + 2 * k + 1));
    for (size_t r = 0; r < d; ++r) {
      b[r] += basis[r * d + k] * target;
      for (size_t c = 0; c < d; ++c) a[r * d + c] += basis[r * d + k] * eigenvalue * basis[c * d + k];
    }
  }
  return MakeQuadratic(std::move(a), std::move(b), QhNoise(i));
}

}  // namespace

Problem Q3() {
  Workers workers;
  for (size_t i = 0; i < 3; ++i) {
    std::vector<double> v(3, 2), a(9);
    v[i] = -3;
    for (size_t r = 0; r < 3; ++r)
      for (size_t c = 0; c < 3; ++c) a[3 * r + c] = 2 * v[r] * v[c] + (r == c ? 0.5 : 0.0);
    workers.push_back(MakeQuadratic(std::move(a), {0, 0, 0}, {0, 0, 0}));
  }
  return Solved(Describe(std::move(workers), {1, 1, 1}));
}

Problem QH() {
  Workers workers;
  const std::vector<double> basis = QhBasis();
  for (size_t i = 0; i < kQhWorkers; ++i) workers.push_back(QhWorker(i, basis, 10));
  return Solved(Describe(std::move(workers), std::vector<double>(kQhDimension)));
}

Problem QK() {
  Workers workers;
  const std::vector<double> basis = QhBasis();
  for (size_t i = 0; i < kQhWorkers; ++i) workers.push_back(QhWorker(i, basis, i == 0 ? 1000 : 5));
  return Solved(Describe(std::move(workers), std::vector<double>(kQhDimension)));
}

Problem TwoTilts() {
  Workers workers;
  for (const std::vector<double>& b : {std::vector<double>{-1, -1, -5}, {-1, -5, -1}})
    workers.push_back(MakeQuadratic({1, 0, 0, 0, 1, 0, 0, 0, 1}, b, {0, 0, 0}));
  return Solved(Describe(std::move(workers), {0, 0, 0}));
}

}  // namespace gradwire
