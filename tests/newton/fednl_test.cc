// SPDX-License-Identifier: Apache-2.0
// FedNL (Safaryan, Islamov, Qian & Richtarik 2022, arXiv 2106.02969) on LR2. Where everything is deterministic, rounds
// are those of the authors' rules; a limit stands where random choices are made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/newton.h"

namespace gradwire {
namespace {

using testing::Lr2Far;
using testing::Lr2Near;
using testing::Lr2Zero;
using testing::NewtonTrace;
using testing::RoundsOf;

TEST(FedNL, ConvergesLocallyWithoutAConditionNumber) {
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.compressor = "topk:10"}), 6);
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.compressor = "topk:10", .option = "2"}), 7);
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.compressor = "topk:10", .alpha = "0.0513167"}), 8) << "1 - sqrt(1 - 1/d)";
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.compressor = "topk:10", .init = "zero", .option = "2"}), 10);
}

/// The authors' Top-d keeps d of the d^2 entries, an off-diagonal one and its mirror each counted; a packed triangle
/// has each once. Between 5 and 10 of a triangle's, as here 6, are as many.
TEST(FedNL, AnEntryAndItsMirrorAreKeptTogether) {
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.compressor = "topk:6"}), 6);
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.compressor = "topk:6", .option = "2"}), 8);
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.compressor = "topk:6", .init = "zero", .option = "2"}), 13);
}

/// alpha = 1 / (1 + omega).
TEST(FedNL, OfAnUnbiasedOperatorMovesByADampedShare) {
  for (const uint64_t seed : {1, 2, 3}) EXPECT_LE(RoundsOf(Lr2Zero(), {.compressor = "randk:10"}, 60, seed), 24);
}

TEST(FedNL, FromFarDivergesAndALineSearchAndCubicStepsDoNot) {
  const NewtonTrace plain = testing::Run({.problem = Lr2Far(), .newton = {.compressor = "topk:10"}, .steps = 100});
  EXPECT_FALSE(plain.distances.back() < 10) << plain.distances.back();
  EXPECT_EQ(RoundsOf(Lr2Far(), {.method = "fednl_ls", .compressor = "topk:10"}), 12);
  EXPECT_EQ(RoundsOf(Lr2Far(), {.method = "fednl_ls", .compressor = "topk:10", .init = "zero"}), 19);
  EXPECT_EQ(RoundsOf(Lr2Far(), {.method = "fednl_cr", .compressor = "topk:10", .cubic = testing::kLr2Cubic}, 100), 61);
}

/// Every trial of a line search is a number of each worker.
TEST(FedNL, ALineSearchSendsAValueATrial) {
  const NewtonTrace search =
      testing::Run({.problem = Lr2Far(), .newton = {.method = "fednl_ls", .compressor = "topk:10"}, .steps = 5});
  const NewtonTrace plain = testing::Run({.problem = Lr2Far(), .newton = {.compressor = "topk:10"}, .steps = 5});
  const uint64_t values = search.counts[0].values;
  EXPECT_GE(values, 10u) << "at least one at the point and one a step";
  EXPECT_EQ(search.sent[0].paper_bits, plain.sent[0].paper_bits + 32 * values);
}

TEST(FedNL, WithCompressedModelsAndFewGradientsConverges) {
  for (const uint64_t seed : {1, 2, 3})
    EXPECT_LE(RoundsOf(Lr2Near(), {.method = "fednl_bc", .compressor = "topk:10", .model = "topk:5"}, 60, seed), 50);
  EXPECT_EQ(RoundsOf(Lr2Near(), {.method = "fednl_bc", .compressor = "identity", .model = "identity", .gradient_p = 1}),
            6);
}

/// p d numbers a round in place of d.
TEST(FedNL, GradientsAreSentInAShareOfTheRounds) {
  const NewtonTrace trace = testing::Run({.problem = Lr2Near(),
                                          .newton = {.method = "fednl_bc", .compressor = "topk:10", .gradient_p = 0.25},
                                          .steps = 200});
  EXPECT_NEAR(static_cast<double>(trace.counts[0].gradients), 50, 15);
  for (const NewtonWorker::Counts& counts : trace.counts) EXPECT_EQ(counts.gradients, trace.counts[0].gradients);
  EXPECT_LT(trace.received[0].paper_bits, 200 * 10 * 32u) << "models are compressed";
}

TEST(FedNL, OfSomeWorkersARoundConverges) {
  EXPECT_EQ(RoundsOf(Lr2Near(), {.method = "fednl_pp", .compressor = "topk:10", .participation = "all"}), 8);
  for (const uint64_t seed : {1, 2, 3})
    EXPECT_LE(
        RoundsOf(Lr2Near(), {.method = "fednl_pp", .compressor = "topk:10", .participation = "nice:40%"}, 100, seed),
        80);
}

/// Whoever takes no part computes and sends nothing.
TEST(FedNL, WorkersThatRestSendNothing) {
  const NewtonTrace trace =
      testing::Run({.problem = Lr2Near(),
                    .newton = {.method = "fednl_pp", .compressor = "topk:10", .participation = "nice:40%"},
                    .steps = 51});
  uint64_t hessians = 0, sent = 0;
  for (size_t i = 0; i < 5; ++i) hessians += trace.counts[i].hessians, sent += trace.sent[i].paper_bits;
  EXPECT_EQ(hessians, 5u + 50 * 2);
  for (size_t i = 0; i < 5; ++i)
    EXPECT_EQ(trace.received[i].paper_bits, (trace.counts[i].hessians - 1) * 10 * 32) << "points for who takes part";
  const uint64_t opening = (55 + 1 + 10) * 32, report = 10 * (32 + 6) + (1 + 10) * 32;
  EXPECT_EQ(sent, 5 * opening + 100 * report);
}

}  // namespace
}  // namespace gradwire
