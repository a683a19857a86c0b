// SPDX-License-Identifier: Apache-2.0
#include "newton/model_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "problem/problem.h"

namespace gradwire {
namespace {

using ::testing::ElementsAre;

ModelEnd EndOf(const NewtonConfig& config, const std::vector<double>& start) {
  return {MakeNewtonParts(config, LR2(), 1).model, start, 0};
}

/// What is sent is the change of the point, from the start on.
TEST(ModelEnd, WorkersMoveByWhatIsSentOfTheChange) {
  const std::vector<double> start = {5, -3, 2};
  ModelEnd end = EndOf({.method = "fednl_bc", .model = "topk:1"}, start);
  EXPECT_THAT(end.z(), ElementsAre(5, -3, 2));
  const std::vector<double> x = {6, -7, 2};
  end.Send(0, x);
  EXPECT_THAT(end.z(), ElementsAre(5, -7, 2));
  end.Send(1, x);
  EXPECT_THAT(end.z(), ElementsAre(6, -7, 2));
  EXPECT_GT(end.stats().payload_bytes, 0u);
}

TEST(ModelEnd, AShareOfTheMessageMovesThem) {
  ModelEnd end = EndOf({.method = "fednl_bc", .model = "topk:1", .model_alpha = "0.5"}, {5, -3, 2});
  end.Send(0, std::vector<double>{6, -7, 2});
  EXPECT_THAT(end.z(), ElementsAre(5, -5, 2));
}

TEST(ModelEnd, GoesOnWhereItWasSaved) {
  ModelEnd end = EndOf({.method = "fednl_bc", .model = "topk:1"}, {5, -3, 2});
  end.Send(0, std::vector<double>{6, -7, 2});
  ModelEnd other = EndOf({.method = "fednl_bc", .model = "topk:1"}, {0, 0, 0});
  other.Load(end.Save(), end.z());
  other.Send(1, std::vector<double>{6, -7, 4});
  EXPECT_THAT(other.z(), ElementsAre(5, -7, 4));
}

}  // namespace
}  // namespace gradwire
