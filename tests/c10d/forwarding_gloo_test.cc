// SPDX-License-Identifier: Apache-2.0
// The forwarding backend over the real Gloo: it gives what Gloo gives.
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "gradwire/c10d_backend.h"
#include "gradwire/c10d_group.h"

namespace gradwire {
namespace {

constexpr int kRanks = 2;
constexpr std::chrono::seconds kTimeout{30};

using BackendPtr = c10::intrusive_ptr<c10d::Backend>;

/// Calls body(rank, gloo, forwarding) in a thread for each rank. The two backends of a rank are independent groups.
template <typename Body>
void OnAllRanks(Body body) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  std::vector<std::future<void>> ranks;
  for (int rank = 0; rank < kRanks; ++rank)
    ranks.push_back(std::async(std::launch::async, [&, rank] {
      const Membership member{store, rank, kRanks, "127.0.0.1", kTimeout};
      body(rank, MakeGlooBackend(member, "plain"),
           MakeForwardingBackend({{at::kCPU, MakeGlooBackend(member, "inner")}}));
    }));
  for (std::future<void>& rank : ranks) rank.get();
}

/// What each collective operation leaves behind on this rank.
std::vector<at::Tensor> Results(int rank, c10d::Backend& backend) {
  std::vector<at::Tensor> sum{at::arange(5, at::kFloat) * (rank + 1)};
  backend.allreduce(sum)->wait();
  std::vector<at::Tensor> largest{at::full({3}, rank - 1, at::kInt)};
  backend.allreduce(largest, {.reduceOp = c10d::ReduceOp::MAX})->wait();
  std::vector<at::Tensor> sent{at::arange(3, at::kLong) + 10 * rank};
  std::vector<std::vector<at::Tensor>> gathered{{at::zeros_like(sent[0]), at::zeros_like(sent[0])}};
  backend.allgather(gathered, sent)->wait();
  at::Tensor flat = at::zeros({6}, at::kLong);
  backend._allgather_base(flat, sent[0])->wait();
  std::vector<at::Tensor> from_one{at::arange(4, at::kLong) + (int64_t{1} << 40) * rank};
  backend.broadcast(from_one, {.rootRank = 1})->wait();
  backend.barrier()->wait();
  return {sum[0], largest[0], gathered[0][0], gathered[0][1], flat, from_one[0]};
}

TEST(ForwardingGloo, CollectivesGiveWhatGlooGives) {
  OnAllRanks([](int rank, const BackendPtr& gloo, const BackendPtr& forwarding) {
    const std::vector<at::Tensor> expected = Results(rank, *gloo), results = Results(rank, *forwarding);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(results[i].equal(expected[i])) << "result " << i;
    EXPECT_TRUE(results[0].equal(at::arange(5, at::kFloat) * 3));                  // 1 + 2 times
    EXPECT_TRUE(results[5].equal(at::arange(4, at::kLong) + (int64_t{1} << 40)));  // rank 1's
    EXPECT_EQ(forwarding->getSequenceNumberForGroup(), gloo->getSequenceNumberForGroup());
  });
}

TEST(ForwardingGloo, ABarrierEndsAfterTheLastRankCame) {
  std::atomic<bool> came = false;
  OnAllRanks([&](int rank, const BackendPtr&, const BackendPtr& forwarding) {
    if (rank == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      came = true;
    }
    forwarding->barrier()->wait();
    EXPECT_TRUE(came);
  });
}

TEST(ForwardingGloo, ATimeoutThatIsSetIsGloos) {
  OnAllRanks([](int rank, const BackendPtr&, const BackendPtr& forwarding) {
    forwarding->setTimeout(std::chrono::milliseconds(200));
    EXPECT_EQ(forwarding->getBackendOptions()->timeout, std::chrono::milliseconds(200));
    std::vector<at::Tensor> tensors{at::zeros({1})};
    if (rank == 1) return;
    EXPECT_ANY_THROW(forwarding->recv(tensors, 1, 0)->wait());
  });
}

}  // namespace
}  // namespace gradwire
