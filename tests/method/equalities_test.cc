// SPDX-License-Identifier: Apache-2.0
// Methods that are others where a part of them does nothing, beside those of rows_test.cc.
#include <gtest/gtest.h>

#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrace;
using testing::ConvexTrial;

ConvexTrace Descend(const CommConfig& comm, double lr, int steps, const EstimatorConfig& estimator = {},
                    Problem problem = QH()) {
  const ConvexTrace trace = testing::Run({std::make_shared<Problem>(std::move(problem)), comm, lr, steps, estimator});
  EXPECT_TRUE(trace.replicas_agree);
  return trace;
}

EstimatorConfig Sampled(const char* name, const char* sampling = "uniform") {
  EstimatorConfig config;
  config.name = name;
  config.sampling = sampling;
  return config;
}

void ExpectNear(const std::vector<double>& x, const std::vector<double>& y, double tolerance) {
  ASSERT_EQ(x.size(), y.size());
  for (size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(x[j], y[j], tolerance) << j;
}

TEST(Equalities, DianaOfIdentityIsGradientDescentWhateverItsAlpha) {
  const ConvexTrace descent = Descend(Comm("none", "identity"), 0.1, 20);
  for (const char* alpha : {"0.3", "0.9"}) {
    CommConfig comm = Comm("diana", "identity");
    comm.alpha = alpha;
    ExpectNear(Descend(comm, 0.1, 20).x, descent.x, 1e-13);
  }
}

/// Islamov et al. 2025, arXiv 2502.11682: beta = betahat = 1 without noise.
TEST(Equalities, Clip21OfMomentaWithoutMemoryIsClip21) {
  CommConfig comm = Comm("clip21_sgd2m", "clip:1");
  comm.alpha = "1", comm.ema = "1";
  EXPECT_EQ(Descend(comm, 0.02, 300).x, Descend(Comm("clip21", "clip:1"), 0.02, 300).x);
}

/// The only sample of a worker is its function: L-SVRG's terms cancel up to rounding, however the anchor moves. Q3 has
/// one sample a worker, and its own coins would part runs that drew others.
TEST(Equalities, VarianceReductionOfOneSampleIsTheFullGradient) {
  for (const auto& [method, plain, compressor] :
       {std::tuple{"ec_lsvrg", "ec", "topk:1"}, {"vr_diana", "diana", "randk:1"}, {"none", "none", "identity"}}) {
    const EstimatorConfig estimator = Sampled("lsvrg");
    ExpectNear(Descend(Comm(method, compressor), 0.005, 60, estimator, Q3()).x,
               Descend(Comm(plain, compressor), 0.005, 60, {}, Q3()).x, 1e-12);
  }
}

TEST(Equalities, DoubleSqueezeWithIdentityOnTheWayBackIsErrorFeedback) {
  CommConfig comm = Comm("doublesqueeze", "topk:2");
  comm.down_compressor = "identity";
  EXPECT_EQ(Descend(comm, 0.01, 200).x, Descend(Comm("ef", "topk:2"), 0.01, 200).x);
}

/// DIANAsr-DQ with the second quantiser gone is DIANA-SR, also of samples drawn by importance.
TEST(Equalities, DianaDqOfSamplesWithIdentityOnTheWayBackIsDiana) {
  CommConfig comm = Comm("diana_dq", "randk:2");
  comm.down_compressor = "identity";
  const EstimatorConfig estimator = Sampled("sgd", "importance");
  EXPECT_EQ(Descend(comm, 1.0 / 128, 300, estimator).x, Descend(Comm("diana", "randk:2"), 1.0 / 128, 300, estimator).x);
}

}  // namespace
}  // namespace gradwire
