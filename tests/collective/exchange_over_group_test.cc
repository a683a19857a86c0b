// SPDX-License-Identifier: Apache-2.0
// An exchange over a group is one over a world of that size, bit for bit, while another group has its own.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/convex.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

const std::vector<Parameter> kParameters = {{"wide", {70000}}, {"small", {9, 9}}};

/// One rank's part of `ranks` ranks: its gradients are of `seed` and its rank.
class Member {
 public:
  Member(Collective& collective, const CommConfig& comm, double seed)
      : exchange_(collective, kParameters, MakeParts(comm, /*seed=*/3)),
        sink_(exchange_),
        buckets_(kParameters, testing::OneBucket(kParameters)),
        phase_(seed + collective.rank()) {}

  void Step(uint64_t step) {
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (size_t i = 0; float& g : buckets_.Of(p))
        g = static_cast<float>(std::sin(phase_ * static_cast<double>(++i + 7 * step)));
    buckets_.Exchange(sink_, step);
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      means_.insert(means_.end(), buckets_.Of(p).begin(), buckets_.Of(p).end());
  }

  const std::vector<float>& means() const { return means_; }

 private:
  Exchange<float> exchange_;
  DirectSink<float> sink_;
  testing::Buckets<float> buckets_;
  double phase_;
  std::vector<float> means_;  // of all steps so far
};

constexpr uint64_t kSteps = 5;

std::vector<float> MeansOfWorld(int size, const CommConfig& comm, double seed) {
  std::vector<float> means;
  testing::RunRanks(size, [&](Collective& collective) {
    Member member(collective, comm, seed);
    for (uint64_t step = 0; step < kSteps; ++step) member.Step(step);
    if (collective.rank() == 0) means = member.means();
  });
  return means;
}

class ExchangeOverGroups : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

/// Rank 3 is in both.
TEST_P(ExchangeOverGroups, HaveTheBitsOfWorlds) {
  const CommConfig comm = testing::Comm(GetParam().first, GetParam().second);
  const std::vector<std::vector<int>> groups = {{0, 2, 3}, {1, 3}};
  std::vector<std::vector<float>> expected;
  for (size_t i = 0; i < groups.size(); ++i)
    expected.push_back(MeansOfWorld(static_cast<int>(groups[i].size()), comm, 0.1 * static_cast<double>(i + 1)));
  testing::RunRanks(4, [&](Collective& job) {
    std::vector<std::unique_ptr<Collective>> own(groups.size());
    std::vector<std::unique_ptr<Member>> members(groups.size());
    for (size_t i = 0; i < groups.size(); ++i) {
      if (std::ranges::find(groups[i], job.rank()) == groups[i].end()) continue;
      own[i] = job.MakeGroup(groups[i], "group " + std::to_string(i));
      members[i] = std::make_unique<Member>(*own[i], comm, 0.1 * static_cast<double>(i + 1));
    }
    for (uint64_t step = 0; step < kSteps; ++step)
      for (const auto& member : members)
        if (member) member->Step(step);
    for (size_t i = 0; i < groups.size(); ++i) {
      if (!members[i]) continue;
      EXPECT_TRUE(members[i]->means() == expected[i]) << "rank " << job.rank() << ", group " << i;
    }
    job.GatherText("done");
  });
}

INSTANTIATE_TEST_SUITE_P(, ExchangeOverGroups,
                         ::testing::Values(std::pair("none", "identity"), std::pair("ef", "topk:1%"),
                                           std::pair("doublesqueeze", "sign"), std::pair("dcgd", "qsgd:7")),
                         [](const auto& info) { return std::string(info.param.first); });

}  // namespace
}  // namespace gradwire
