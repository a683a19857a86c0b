// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>

#include "gradwire/cost.h"
#include "train/async/async_rounds.h"
#include "train/async/async_worker_run.h"
#include "train/join/async_meeting.h"
#include "train/run/network_driver.h"

namespace gradwire::train {
namespace {

/// Batches that batch norm's statistics are measured on before an evaluation.
constexpr int64_t kStatisticsBatches = 16;

using Log = std::function<void(const std::string&)>;

class NetworkServer final : public NetworkDriver {
 public:
  NetworkServer(const NetworkContext& context, const Log& log) : context_(context) {
    context.SetBatch(0);
    context.network.SettleBuckets();  // gradients need a place
    const Membership& member = context.world.workers;
    log(Address(member));
    async_ = std::make_unique<AsyncRounds>(context.config, member, MeetingText(context.config, context.batches.data()),
                                           context.network, log);
    if (context.config.async.server == "shared")
      own_worker_ = std::make_unique<OwnWorker>(context.config, context.env, member);
  }

  void Begin(const Round& round) override { async_->Begin(round.lr); }

  bool Step(const Round& round) override {
    async_->Step(round.lr);
    context_.network.AddTally(async_->TakeTally());
    return true;
  }

  std::vector<std::span<const float>> PrepareEvaluation() override {
    std::vector<at::Tensor> batches;
    for (int64_t i = 0; i < std::min(kStatisticsBatches, context_.batches.per_epoch()); ++i)
      batches.push_back(context_.batches.Train(i).images);
    context_.network.MeasureStatistics(batches);
    return {};
  }

  Totals totals() override {
    const JobTotals& jobs = async_->totals();
    Totals totals;
    totals.stats = {0, async_->stats().bytes_up, jobs.encode_s, jobs.wait_s, async_->stats().decode_s};
    totals.counts_paper = false;
    totals.residual_norm = async_->ResidualNorm(), totals.compute_s = jobs.compute_s;
    return totals;
  }

  int workers() const override { return static_cast<int>(async_->workers()); }
  uint64_t dense_bytes() const override { return sizeof(float) * Numel(context_.network.parameters()); }
  std::optional<AsyncStats> stats() const override { return async_->stats(); }

  void Save(Snapshot& file) override {
    context_.network.Save(file);
    async_->Save(file);
  }

  void Load(const train::Save& save) override {
    context_.network.Load(save.files[0]);
    async_->Load(save.files[0]);
  }

 private:
  std::string Address(const Membership& member) const {
    const bool is_torchruns = std::getenv("TORCHELASTIC_RESTART_COUNT") != nullptr;  // it ends all when one ends
    const std::string where = context_.env.master_addr + ":" + std::to_string(context_.env.master_port);
    return "server at " + member.address +
           (is_torchruns ? "" : "; a worker joins by the same command with --join " + where);
  }

  const NetworkContext context_;
  std::unique_ptr<OwnWorker> own_worker_;  // of a server that is a worker as well
  std::unique_ptr<AsyncRounds> async_;     // ends first
};

}  // namespace

std::unique_ptr<NetworkDriver> MakeNetworkServer(const NetworkContext& context, Log log) {
  return std::make_unique<NetworkServer>(context, log);
}

}  // namespace gradwire::train
