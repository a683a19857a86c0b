// SPDX-License-Identifier: Apache-2.0
#include "problem/dense.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace gradwire {
namespace {

struct Tridiagonal {
  std::vector<double> diagonal, off;  // off[i] couples i and i + 1
};

/// a <- H a H with H = I - beta v v^T, v zero before `first`.
void Reflect(std::vector<double>& a, size_t d, size_t first, const std::vector<double>& v, double beta) {
  std::vector<double> w(d);
  for (size_t i = first; i < d; ++i)
    for (size_t j = first; j < d; ++j) w[i] += beta * a[i * d + j] * v[j];
  const double half = 0.5 * beta * Dot(w, v);
  for (size_t i = first; i < d; ++i) w[i] -= half * v[i];
  for (size_t i = first; i < d; ++i)
    for (size_t j = first; j < d; ++j) a[i * d + j] -= v[i] * w[j] + w[i] * v[j];
}

Tridiagonal Reduce(std::vector<double> a, size_t d) {
  Tridiagonal t{std::vector<double>(d), std::vector<double>(d)};
  for (size_t k = 0; k < d; ++k) {
    t.diagonal[k] = a[k * d + k];
    if (k + 1 == d) break;
    std::vector<double> v(d);
    for (size_t i = k + 1; i < d; ++i) v[i] = a[i * d + k];
    t.off[k] = -std::copysign(Norm(v), v[k + 1]);
    v[k + 1] -= t.off[k];
    if (const double square = Dot(v, v); square > 0) Reflect(a, d, k + 1, v, 2 / square);
  }
  return t;
}

/// Number of eigenvalues below x.
size_t CountBelow(const Tridiagonal& t, double x) {
  size_t count = 0;
  double q = 1, coupling = 0;
  for (size_t i = 0; i < t.diagonal.size(); ++i) {
    q = t.diagonal[i] - x - coupling / q;
    if (q == 0) q = std::numeric_limits<double>::min();
    if (q < 0) ++count;
    coupling = t.off[i] * t.off[i];
  }
  return count;
}

/// The eigenvalue that has `rank` others below it, between low and high.
double Bisect(const Tridiagonal& t, size_t rank, double low, double high) {
  for (;;) {
    const double middle = low + (high - low) / 2;
    if (!(middle > low && middle < high)) return middle;  // no number is left between, or one is none
    (CountBelow(t, middle) > rank ? high : low) = middle;
  }
}

}  // namespace

double Dot(std::span<const double> x, std::span<const double> y) {
  return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

double Norm(std::span<const double> x) { return std::sqrt(Dot(x, x)); }

std::pair<double, double> ExtremeEigenvalues(std::vector<double> a, size_t d) {
  const Tridiagonal t = Reduce(std::move(a), d);
  double bound = std::numeric_limits<double>::min();  // Gershgorin: no eigenvalue is larger in magnitude
  for (size_t i = 0; i < d; ++i)
    bound = std::max(bound, std::abs(t.diagonal[i]) + std::abs(t.off[i]) + (i > 0 ? std::abs(t.off[i - 1]) : 0));
  bound *= 1 + 1e-9;
  return {Bisect(t, 0, -bound, bound), Bisect(t, d - 1, -bound, bound)};
}

std::vector<double> SolvePositive(std::vector<double> a, std::vector<double> b) {
  const size_t d = b.size();
  for (size_t i = 0; i < d; ++i)
    for (size_t j = 0; j <= i; ++j) {  // a = L L^T, L in the lower triangle
      const double sum = a[i * d + j] - Dot({&a[i * d], j}, {&a[j * d], j});
      if (i == j && !(sum > 0)) return {};
      a[i * d + j] = i == j ? std::sqrt(sum) : sum / a[j * d + j];
    }
  for (size_t i = 0; i < d; ++i) b[i] = (b[i] - Dot({&a[i * d], i}, {b.data(), i})) / a[i * d + i];
  for (size_t i = d; i-- > 0;) {
    for (size_t j = i + 1; j < d; ++j) b[i] -= a[j * d + i] * b[j];
    b[i] /= a[i * d + i];
  }
  return b;
}

}  // namespace gradwire
