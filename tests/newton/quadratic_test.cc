// SPDX-License-Identifier: Apache-2.0
// On quadratics the first Hessians are those of every point: whatever a method then leaves out, the server's point is
// the solution from the first round on.
#include <gtest/gtest.h>

#include "support/newton.h"

namespace gradwire {

namespace {

class OnQuadratics : public ::testing::TestWithParam<NewtonConfig> {};

TEST_P(OnQuadratics, EveryRoundEndsAtTheSolution) {
  const auto trace =
      testing::Run({.problem = std::make_shared<const Problem>(QH()), .newton = GetParam(), .steps = 25});
  for (size_t k = 1; k < trace.distances.size(); ++k) EXPECT_LT(trace.distances[k], 1e-13) << k;
}

INSTANTIATE_TEST_SUITE_P(
    Every, OnQuadratics,
    ::testing::Values(
        NewtonConfig{.method = "newton"}, NewtonConfig{.method = "newton_star"}, NewtonConfig{.method = "newton_zero"},
        NewtonConfig{.compressor = "topk:1"}, NewtonConfig{.compressor = "topk:1", .option = "2"},
        // Rounds without gradients: g = B (z - w) + grad f(w) is the gradient at z.
        NewtonConfig{.method = "fednl_bc", .compressor = "topk:1", .model = "topk:3", .gradient_p = 0.1},
        NewtonConfig{
            .method = "newton_3pc_bc", .compressor = "topk:1", .option = "2", .model = "topk:3", .gradient_p = 0.1},
        // Workers that rest, and new ones without a gradient: g_i = H_i w_i - grad f_i(w_i) is one of all w_i.
        NewtonConfig{.method = "fednl_pp", .compressor = "topk:1", .participation = "nice:20%"},
        NewtonConfig{.method = "newton_3pc_bc_pp",
                     .compressor = "topk:1",
                     .model = "topk:3",
                     .gradient_p = 0.3,
                     .participation = "nice:30%"}),
    [](const auto& info) { return info.param.method + "_" + std::to_string(info.index); });

}  // namespace
}  // namespace gradwire
