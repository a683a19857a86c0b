// SPDX-License-Identifier: Apache-2.0
// comm.ema: what a worker sends is the momentum of its gradients (Safaryan and Richtarik 2021, arXiv 1905.12938).
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "message/link_end.h"
#include "support/buckets.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

constexpr int kWorkers = 3;
constexpr double kEma = 0.25;
const std::vector<Parameter> kParameters = {{"big", {70000}}, {"bare", {500}}};
constexpr uint32_t kBig = 0, kBare = 1;

CommConfig WithMomentum(const char* method, const char* compressor) {
  CommConfig comm = testing::Comm(method, compressor);
  comm.min_compress_numel = 1000;  // kBare travels as it is
  comm.ema = "0.25";
  return comm;
}

double Element(int rank, uint64_t step, uint32_t parameter, size_t i) {
  return std::sin(1.0 + rank + 3.0 * static_cast<double>(step) + 7.0 * parameter + 0.01 * static_cast<double>(i));
}

/// One worker's gradients step after step, exchanged.
class Worker {
 public:
  Worker(Collective& collective, const CommConfig& comm)
      : rank_(collective.rank()),
        exchange_(collective, kParameters, MakeParts(comm, /*seed=*/1)),
        sink_(exchange_),
        buckets_(kParameters, testing::OneBucket(kParameters)) {}

  void Step(uint64_t step, double poison = 0) {
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (size_t i = 0; i < buckets_.Of(p).size(); ++i) buckets_.Of(p)[i] = Element(rank_, step, p, i);
    if (poison != 0) buckets_.Of(kBig)[5] = poison;
    buckets_.Exchange(sink_, step);
  }
  double Result(uint32_t parameter, size_t i) { return buckets_.Of(parameter)[i]; }
  std::vector<double> Momentum() {
    const auto momentum = exchange_.state().Vector(kBig, "momentum");
    return {momentum.begin(), momentum.end()};
  }

 private:
  int rank_;
  Exchange<double> exchange_;
  DirectSink<double> sink_;
  testing::Buckets<double> buckets_;
};

TEST(Momentum, IsWhatIsSentOfWhatIsCompressed) {
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Worker worker(collective, WithMomentum("dcgd", "identity"));
    std::vector<double> momenta(kWorkers);
    constexpr size_t kPlace = 66000;  // of the second piece
    for (uint64_t step = 0; step < 4; ++step) {
      worker.Step(step);
      double mean = 0, bare = 0;
      for (int r = 0; r < kWorkers; ++r) {
        momenta[r] = (1 - kEma) * momenta[r] + kEma * Element(r, step, kBig, kPlace);
        mean += momenta[r] / kWorkers, bare += Element(r, step, kBare, 3) / kWorkers;
      }
      EXPECT_NEAR(worker.Result(kBig, kPlace), mean, 1e-15);
      EXPECT_NEAR(worker.Result(kBare, 3), bare, 1e-15);
    }
  });
}

TEST(Momentum, OfAPieceThatIsNotFiniteStays) {
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Worker worker(collective, WithMomentum("ef", "topk:1%"));
    worker.Step(0);
    const std::vector<double> before = worker.Momentum();
    worker.Step(1, collective.rank() == 1 ? std::numeric_limits<double>::infinity() : 0.0);
    const std::vector<double> after = worker.Momentum();
    EXPECT_TRUE(std::isnan(worker.Result(kBig, 0)));
    const bool is_poisoner = collective.rank() == 1;
    EXPECT_EQ(after[5] == before[5], is_poisoner);
    EXPECT_NE(after[66000], before[66000]) << "of another piece";
  });
}

TEST(Momentum, MovesWithWorkersThatSendNothing) {
  CommConfig comm = WithMomentum("dcgd", "identity");
  comm.participation = "nice:34%";  // one of three
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Worker worker(collective, comm);
    double momentum = 0;
    for (uint64_t step = 0; step < 3; ++step) {
      worker.Step(step);
      momentum = (1 - kEma) * momentum + kEma * Element(collective.rank(), step, kBig, 7);
      EXPECT_NEAR(worker.Momentum()[7], momentum, 1e-15);
    }
  });
}

TEST(Momentum, IsOfALinkBetweenTwoAsWell) {
  const ExchangeParts parts = MakeParts(WithMomentum("dcgd", "identity"), 1);
  LinkEnd<double> sender({{"x", {2000}}}, parts, 0, 7), receiver({{"x", {2000}}}, parts, 0, 7);
  std::vector<double> values(2000), delivered(2000);
  double momentum = 0;
  for (uint64_t k = 0; k < 3; ++k) {
    std::ranges::fill(values, 1.0 + static_cast<double>(k));
    receiver.Unpack(k, 0.1, sender.Pack(k, 0.1, values), delivered);
    momentum = (1 - kEma) * momentum + kEma * (1.0 + static_cast<double>(k));
    EXPECT_DOUBLE_EQ(delivered[1500], momentum);
  }
}

/// Which method has one by itself, and where none can be.
TEST(Momentum, IsTheMethodsOrRefused) {
  EXPECT_EQ(MakeParts(testing::Comm("ssdm", "auto"), 1).link.ema, 0.1);
  EXPECT_EQ(MakeParts(testing::Comm("clip21_sgd2m", "auto"), 1).link.ema, 0.1);
  EXPECT_EQ(MakeParts(testing::Comm("ef", "sign"), 1).link.ema, 1);
  const auto refusal = [](const char* method, const char* compressor, const char* ema) -> std::string {
    CommConfig comm = testing::Comm(method, compressor);
    comm.ema = ema;
    try {
      Check(comm);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "taken";
  };
  EXPECT_EQ(refusal("ef", "sign", "1"), "taken");
  EXPECT_THAT(refusal("ef", "sign", "0"), HasSubstr("comm.ema: 0: nothing would ever be sent"));
  EXPECT_THAT(refusal("ef", "sign", "1.5"), HasSubstr("comm.ema: '1.5': expected auto or a number from 0 to 1"));
  EXPECT_THAT(refusal("none", "identity", "0.5"), HasSubstr("comm.ema: method none has no such coefficient"));
  EXPECT_THAT(refusal("marina", "randk:1%", "0.5"), HasSubstr("comm.ema: method marina has no such coefficient"));
}

}  // namespace
}  // namespace gradwire
