// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support/dithering_variance.h"

namespace gradwire {
namespace {

using namespace testing;

RC_GTEST_PROP(Dithering, OmegaBoundsTheVarianceOfAnyVector, ()) {
  const auto x = *rc::gen::suchThat(rc::gen::container<std::vector<double>>(rc::gen::map(
                                        rc::gen::inRange(-1000, 1000), [](int i) { return i * std::abs(i) / 1e3; })),
                                    [](const auto& v) { return SquaredNorm(v) > 0; });
  const std::string p = *rc::gen::element<std::string>("1", "2", "inf");
  const int s = *rc::gen::inRange(1, 9);
  const auto dithering = ParseCompressor("dithering:" + p + ":" + std::to_string(s));
  RC_ASSERT(DitheringVariance(x, p, s) <= *dithering->omega(Piece::Whole(x.size())) * (1 + 1e-12) + 1e-12);
}

}  // namespace
}  // namespace gradwire
