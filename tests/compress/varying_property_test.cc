// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support/greedy_probabilities.h"
#include "support/variance.h"

namespace gradwire {
namespace {

using namespace testing;

RC_GTEST_PROP(NuRandK, OmegaBoundsTheVarianceOfAnyVector, ()) {
  const auto x = *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(
      rc::gen::map(rc::gen::inRange(1, 1000), [](int i) { return std::pow(1.02, i); })));
  const size_t k = *rc::gen::inRange<size_t>(1, x.size() + 1);
  const std::vector<double> p = GreedyProbabilities(x, static_cast<double>(k));
  double variance = 0;
  for (size_t i = 0; i < x.size(); ++i) variance += x[i] * x[i] * (1 / p[i] - 1);
  const double omega = static_cast<double>(x.size()) / static_cast<double>(k);
  RC_ASSERT(variance <= omega * static_cast<double>(SquaredNorm(x)) * (1 + 1e-12));
  if (k < x.size())
    RC_ASSERT(*ParseCompressor("nu_randk:" + std::to_string(k))->omega(Piece::Whole(x.size())) == omega);
}

}  // namespace
}  // namespace gradwire
