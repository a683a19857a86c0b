// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>

#include "gradwire/cost.h"
#include "train/async/async_rounds.h"
#include "train/async/async_worker_run.h"
#include "train/join/async_meeting.h"
#include "train/run/steps.h"

namespace gradwire::train {
namespace {

/// Batches that batch norm's statistics are measured on before an evaluation.
constexpr int64_t kStatisticsBatches = 16;

using Say = std::function<void(const std::string&)>;

class ServerSteps final : public Steps {
 public:
  ServerSteps(const StepsOf& of, const Say& say) : of_(of) {
    of.SetBatch(0);
    of.network.SettleBuckets();  // gradients need a place
    const Membership& member = of.world.workers;
    say(Address(member));
    async_ =
        std::make_unique<AsyncRounds>(of.config, member, MeetingText(of.config, of.batches.data()), of.network, say);
    if (of.config.async.server == "shared") own_worker_ = std::make_unique<OwnWorker>(of.config, of.env, member);
  }

  void Begin(double lr) override { async_->Begin(lr); }

  bool Make(int64_t, double lr) override {
    async_->Step(lr);
    of_.network.AddTally(async_->TakeTally());
    return true;
  }

  void End(int64_t, double) override {}

  std::vector<std::span<const float>> PrepareEvaluation() override {
    std::vector<at::Tensor> batches;
    for (int64_t i = 0; i < std::min(kStatisticsBatches, of_.batches.per_epoch()); ++i)
      batches.push_back(of_.batches.Train(i).images);
    of_.network.MeasureStatistics(batches);
    return {};
  }

  Effort Look() override {
    const JobTotals& jobs = async_->totals();
    Effort seen;
    seen.stats = {0, async_->stats().bytes_up, jobs.encode_s, jobs.wait_s, async_->stats().decode_s};
    seen.residual_norm = async_->ResidualNorm(), seen.compute_s = jobs.compute_s;
    return seen;
  }

  int workers() const override { return static_cast<int>(async_->workers()); }
  uint64_t dense_bytes() const override { return sizeof(float) * Numel(of_.network.parameters()); }
  std::optional<AsyncStats> stats() const override { return async_->stats(); }

  void Save(Snapshot& file) override {
    of_.network.Save(file);
    async_->Save(file);
  }

  void Load(const train::Save& save) override {
    of_.network.Load(save.files[0]);
    async_->Load(save.files[0]);
  }

 private:
  std::string Address(const Membership& member) const {
    const bool is_torchruns = std::getenv("TORCHELASTIC_RESTART_COUNT") != nullptr;  // it ends all when one ends
    const std::string where = of_.env.master_addr + ":" + std::to_string(of_.env.master_port);
    return "server at " + member.address +
           (is_torchruns ? "" : "; a worker joins by the same command with --join " + where);
  }

  const StepsOf of_;
  std::unique_ptr<OwnWorker> own_worker_;  // of a server that is a worker as well
  std::unique_ptr<AsyncRounds> async_;     // ends first
};

}  // namespace

std::unique_ptr<Steps> MakeServerSteps(const StepsOf& of, Say say) { return std::make_unique<ServerSteps>(of, say); }

}  // namespace gradwire::train
