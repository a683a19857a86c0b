// SPDX-License-Identifier: Apache-2.0
#include "problem/graded.h"

#include <cmath>

#include "base/normal.h"
#include "problem/describe.h"
#include "problem/quadratic.h"

namespace gradwire {

Problem Graded(size_t workers) {
  constexpr size_t d = 20;
  constexpr double kZeta = 10;
  Workers all;
  for (size_t i = 0; i < workers; ++i) {
    const double grade = static_cast<double>(i + 1), scale = grade / std::sqrt(static_cast<double>(workers));
    Philox random(/*seed=*/0, Purpose::kSynthetic, i);
    std::vector<double> a(d * d), b(d);
    for (size_t j = 0; j < d; ++j) a[j * d + j] = scale * scale, b[j] = scale * kZeta / grade * Normal(random);
    all.push_back(MakeQuadratic(std::move(a), std::move(b), std::vector<double>(d)));
  }
  return Solved(Describe(std::move(all), std::vector<double>(d)));
}

}  // namespace gradwire
