// SPDX-License-Identifier: Apache-2.0
// Newton methods that are one another where parts are what others have: equalities of rows.
#include <cmath>

#include <gtest/gtest.h>

#include "support/newton.h"

namespace gradwire {
namespace {

using testing::Lr2Near;
using testing::Lr2Zero;
using testing::NewtonTrace;

/// The largest ||x^k - y^k|| of two runs.
double Apart(const NewtonTrace& a, const NewtonTrace& b) {
  double most = 0;
  for (size_t k = 0; k < a.points.size(); ++k) {
    double square = 0;
    for (size_t j = 0; j < a.points[k].size(); ++j) square += std::pow(a.points[k][j] - b.points[k][j], 2);
    most = std::max(most, std::sqrt(square));
  }
  return most;
}

NewtonTrace Of(NewtonConfig newton, std::shared_ptr<const Problem> problem = Lr2Near(), int steps = 15) {
  return testing::Run({.problem = std::move(problem), .newton = std::move(newton), .steps = steps});
}

TEST(NewtonIdentities, FedNLOfAllWorkersIsNewton3PCWithEF21AndOption2) {
  const NewtonTrace pp = Of({.method = "fednl_pp", .compressor = "topk:10", .participation = "all"});
  const NewtonTrace n3pc = Of({.method = "newton_3pc", .compressor = "topk:10", .option = "2"});
  EXPECT_LT(Apart(pp, n3pc), 2e-15);
  EXPECT_GT(n3pc.distances[2], 1e-6) << "there is something to compare";
}

/// One refresh of the Hessians apart.
TEST(NewtonIdentities, FedNLAndNewton3PCDifferByWhenTheyLearn) {
  const NewtonTrace fednl = Of({.compressor = "topk:10"}), n3pc = Of({.method = "newton_3pc", .compressor = "topk:10"});
  EXPECT_EQ(fednl.points[1], n3pc.points[1]);
  EXPECT_GT(Apart(fednl, n3pc), 1e-6);
  EXPECT_LT(n3pc.distances[3], fednl.distances[3]);
}

TEST(NewtonIdentities, LazyAndTossedMapsThatAlwaysSendAreEF21) {
  const NewtonTrace ef21 = Of({.method = "newton_3pc", .compressor = "topk:10"}, Lr2Zero());
  EXPECT_EQ(Of({.method = "newton_3pc", .map = "clag", .compressor = "topk:10", .zeta = "0"}, Lr2Zero()).points,
            ef21.points);
  EXPECT_EQ(Of({.method = "newton_3pc", .map = "cbag", .compressor = "topk:10", .p = "1"}, Lr2Zero()).points,
            ef21.points);
}

TEST(NewtonIdentities, CLAGOfTheIdentityIsLAG) {
  const NewtonTrace clag =
      Of({.method = "newton_3pc", .map = "clag", .compressor = "identity", .zeta = "1"}, Lr2Zero());
  const NewtonTrace lag = Of({.method = "newton_3pc", .map = "lag", .compressor = "identity"}, Lr2Zero());
  EXPECT_EQ(clag.points, lag.points);
}

TEST(NewtonIdentities, WithNothingCompressedNewton3PCIsNewton) {
  const NewtonTrace newton = Of({.method = "newton"});
  EXPECT_LT(
      Apart(Of({.method = "newton_3pc_bc", .compressor = "identity", .model = "identity", .gradient_p = 1}), newton),
      1e-12);
  EXPECT_LT(Apart(Of({.method = "newton_3pc", .compressor = "identity"}), newton), 1e-12);
}

TEST(NewtonIdentities, WithoutACompressedModelAndWithAllGradientsBCIsTheMethodItself) {
  EXPECT_EQ(Of({.method = "fednl_bc", .compressor = "topk:10", .model = "identity", .gradient_p = 1}).points,
            Of({.compressor = "topk:10"}).points);
}

/// A model that the map lets through whole, which is then a difference and its sum.
TEST(NewtonIdentities, AModelLinkOfTheIdentityIsACopy) {
  EXPECT_LT(Apart(Of({.method = "fednl_bc", .compressor = "topk:10", .model = "topk:10", .gradient_p = 1}),
                  Of({.compressor = "topk:10"})),
            1e-14);
}

}  // namespace
}  // namespace gradwire
