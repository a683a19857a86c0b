// SPDX-License-Identifier: Apache-2.0
// All ranks are the server and hold the same point, bit for bit; workers of one process, by any number of threads, make
// the same run and send as much.
#include <gtest/gtest.h>

#include "support/newton.h"

namespace gradwire {

namespace {

using testing::NewtonTrace;

class NewtonRow : public ::testing::TestWithParam<NewtonConfig> {};

TEST_P(NewtonRow, IsTheSameOverRanksAndInOneProcess) {
  const testing::NewtonTrial trial{.problem = testing::Lr2Near(), .newton = GetParam(), .steps = 12};
  const NewtonTrace one = testing::Run(trial), two = testing::Run(trial, 3);
  const std::vector<NewtonTrace> ranks = testing::RunOnRanks(trial);
  EXPECT_EQ(two.points, one.points);
  for (size_t i = 0; i < ranks.size(); ++i) {
    EXPECT_EQ(ranks[i].points, one.points) << i;
    EXPECT_EQ(ranks[i].sent[0].bytes_sent(), one.sent[i].bytes_sent()) << i;
    EXPECT_EQ(ranks[i].sent[0].paper_bits, one.sent[i].paper_bits) << i;
    EXPECT_EQ(ranks[i].received[0].paper_bits, one.received[i].paper_bits) << i;
    EXPECT_EQ(ranks[i].counts[0].hessians, one.counts[i].hessians) << i;
  }
}

std::vector<NewtonConfig> Rows() {
  std::vector<NewtonConfig> rows;
  for (const NewtonMethod& method : NewtonMethods()) {
    NewtonConfig& row = rows.emplace_back(NewtonConfig{.method = std::string(method.name)});
    if (method.hessians == NewtonMethod::Hessians::kLearned) row.compressor = "topk:6";
    if (method.step == NewtonMethod::Step::kCubic) row.cubic = testing::kLr2Cubic;
  }
  rows.push_back(
      {.method = "newton_3pc", .map = "3pcv2", .compressor = "topk:6", .learner = "randk:10", .option = "2"});
  rows.push_back({.method = "newton_3pc", .map = "marina", .compressor = "randk:10", .p = "0.2", .option = "2"});
  rows.push_back({.method = "fednl_pp", .compressor = "randk:10"});
  rows.push_back({.method = "newton_3pc_bc_pp", .map = "cbag", .compressor = "topk:6"});
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Every, NewtonRow, ::testing::ValuesIn(Rows()), [](const auto& info) {
  const NewtonConfig& c = info.param;
  return c.method + (c.map == "auto" ? "" : "_" + c.map) + "_" + std::to_string(info.index);
});

}  // namespace
}  // namespace gradwire
