// SPDX-License-Identifier: Apache-2.0
#include "message/orthonormal.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/normal.h"
#include "compress/stream.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

/// The products of x with each of the vectors before it, which are as long.
void Products(std::span<double> x, double* before, size_t count, double* products) {
  kernels::ProjectRows<double>(x, {1, x.size(), count, products, before}, 0);
}

/// x / scale, less what of it is in the span of the `count` orthonormal vectors before it, and normal. Whether more
/// than a share `least` of it was left; else x means nothing.
bool Orthonormal(std::span<double> x, double* before, size_t count, double least, std::span<double> products) {
  const auto norm = [&] {
    double square = 0;
    Products(x, x.data(), 1, &square);
    return std::sqrt(square);
  };
  double largest = 0;
  for (const double element : x) largest = std::max(largest, std::abs(element));
  if (largest == 0) return false;
  for (double& element : x) element /= largest;
  const double length = norm();
  for (int time = 0; time < 2; ++time) {
    Products(x, before, count, products.data());
    for (size_t r = 0; r < count; ++r)
      for (size_t i = 0; i < x.size(); ++i) x[i] -= products[r] * before[r * x.size() + i];
  }
  const double left = norm();
  if (!(left > least * length)) return false;
  for (double& element : x) element /= left;
  return true;
}

void Draw(Site site, size_t vector, std::span<double> x) {
  site.part = static_cast<uint32_t>(vector);
  Philox random = CommonStreamOf(site);
  for (double& element : x) element = Normal(random);
}

}  // namespace

template <typename T>
void Orthonormalise(std::span<T> vectors, size_t rank, Lane& lane, const Site* site) {
  if (rank == 0) return;
  constexpr double kLeast = 16.0 * std::numeric_limits<T>::epsilon();
  const Scratch::Scope scope(lane.scratch);
  const std::span<double> all = lane.scratch.Take<double>(vectors.size()), products = lane.scratch.Take<double>(rank);
  std::ranges::copy(vectors, all.begin());
  const size_t n = vectors.size() / rank;
  for (size_t r = 0; r < rank; ++r) {
    const std::span<double> x = all.subspan(r * n, n);
    if (Orthonormal(x, all.data(), r, kLeast, products)) continue;
    if (site != nullptr) Draw(*site, r, x);
    if (site == nullptr || !Orthonormal(x, all.data(), r, kLeast, products)) std::ranges::fill(x, 0.0);
  }
  std::ranges::transform(all, vectors.begin(), [](double x) { return static_cast<T>(x); });
}

template void Orthonormalise(std::span<float>, size_t, Lane&, const Site*);
template void Orthonormalise(std::span<double>, size_t, Lane&, const Site*);

}  // namespace gradwire
