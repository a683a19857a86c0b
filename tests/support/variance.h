// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "support/measured_laws.h"

namespace gradwire::testing {

/// The vector on which variances of different operators are compared.
inline std::vector<double> Sample() { return {0.4, -1.5, 3, 0.25, -0.75, 2}; }

/// ||C(x) - x||^2 / ||x||^2 of one draw.
template <typename T>
double ErrorRatio(const Compressor& compressor, const Site& site, const std::vector<T>& x) {
  const std::vector<T> sent = Apply(compressor, site, x);
  long double sum = 0;
  for (size_t i = 0; i < x.size(); ++i)
    sum += (static_cast<long double>(sent[i]) - x[i]) * (static_cast<long double>(sent[i]) - x[i]);
  return static_cast<double>(sum / SquaredNorm(x));
}

/// E ||C(x) - x||^2 / ||x||^2, measured.
template <typename T>
Mean MeasuredRatio(const std::string& spec, const std::vector<T>& x, int draws = 40000) {
  const auto compressor = ParseCompressor(spec);
  Mean mean;
  for (int draw = 0; draw < draws; ++draw)
    mean.Add(ErrorRatio(*compressor, SiteOf(Piece::Whole(x.size()), static_cast<uint64_t>(draw)), x));
  return mean;
}

}  // namespace gradwire::testing
