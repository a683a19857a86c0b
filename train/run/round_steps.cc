// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "driver/delayed.h"
#include "driver/model_round.h"
#include "gradwire/cost.h"
#include "gradwire/method.h"
#include "train/checkpoint/archive.h"
#include "train/checkpoint/memory_files.h"
#include "train/run/batch_rounds.h"
#include "train/run/steps.h"

namespace gradwire::train {
namespace {

constexpr const char *kDelayed = "delayed", *kAgreed = "agreed", *kOuterMomentum = "outer momentum", *kShift = "shift",
                     *kRests = "rests";

LocalConfig LocalOf(const Config& config) {
  return config.train.mode == "local" ? config.local : LocalConfig{.sync_every = 1};
}

std::vector<float> Floats(const Snapshot& file, const char* name) {
  std::vector<float> values(file.Bytes(name).size() / sizeof(float));
  file.Fill(name, std::span<float>(values));
  return values;
}

class RoundSteps final : public Steps {
 public:
  explicit RoundSteps(const StepsOf& of)
      : of_(of),
        exchange_(*of.network.ddp().exchange()),
        batches_(of, exchange_),
        delayed_(batches_, of.config.train.delay),
        rounds_(delayed_, exchange_, LocalOf(of.config), of.config.run.seed, static_cast<uint32_t>(of.env.rank),
                static_cast<size_t>(of.config.comm.bucket_cap_mb * (1 << 20)), [this] { ForgetMemory(); }) {
    exchange_.Inspect([&](Exchange<float>& exchange) {
      for (const uint32_t channel : ChannelsOf(LocalOf(of.config))) exchange.Open(channel);
    });
  }

  void Begin(double) override {
    if (!MayRest()) return;
    of_.SetBatch(0);
    for (int pass = 0; pass < 2; ++pass) of_.network.SettleBuckets();
  }

  bool Make(int64_t step, double lr) override {
    const bool is_local = of_.config.train.mode == "local" && step >= of_.config.local.start_iter;
    const bool is_point = rounds_.Step({static_cast<uint64_t>(step), lr});
    if (is_point && is_local) of_.network.ddp().AverageBuffers(*of_.world.exact);
    if (!std::isfinite(of_.network.last_loss()))
      throw Error("step " + std::to_string(step) + ": the loss is " + std::to_string(of_.network.last_loss()) +
                  " on rank " + std::to_string(of_.env.rank) +
                  "; lower optimizer.lr or add lr_scheduler.warmup_epochs");
    return is_point;
  }

  void End(int64_t step, double lr) override { rounds_.Agree({static_cast<uint64_t>(step), lr}); }

  std::vector<std::span<const float>> PrepareEvaluation() override { return rounds_.agreed(); }

  Effort Look() override {
    Effort seen;
    exchange_.Inspect([&](Exchange<float>& exchange) {
      seen.stats = exchange.stats(), seen.residual_norm = std::sqrt(exchange.state().SquaredNorm("e"));
    });
    seen.exposed_s = of_.network.ddp().exposed_s();
    return seen;
  }

  int workers() const override { return of_.env.world_size; }
  uint64_t dense_bytes() const override { return DenseRingBytes(of_.network.parameters(), of_.env.world_size); }
  std::optional<AsyncStats> stats() const override { return std::nullopt; }

  void Save(Snapshot& file) override {
    of_.network.Save(file);
    batches_.Save(file);
    PutState(file, kDelayed, delayed_);
    const auto memory = rounds_.Save();
    file.Put(kAgreed, std::span<const float>(memory.agreed));
    file.Put(kOuterMomentum, std::span<const float>(memory.momentum));
    file.Put(kShift, std::span<const float>(memory.shift));
    file.PutValue(kRests, memory.rests);
    exchange_.Inspect([&](Exchange<float>& inside) { PutMemory(file, inside); });
  }

  void Load(const train::Save& save) override {
    of_.SetBatch(0);
    of_.network.SettleBuckets();
    const Snapshot& file = save.files[0];
    of_.network.Load(file);
    batches_.Load(file);
    if (file.Has(kDelayed)) GetState(file, kDelayed, delayed_);  // means over the ranks: in another world as well
    ModelRounds<float>::Memory memory{Floats(file, kAgreed), Floats(file, kOuterMomentum)};
    if (!save.other_world) memory.shift = Floats(file, kShift), memory.rests = file.Value<bool>(kRests);
    rounds_.Load(std::move(memory));
    if (save.other_world) MoveToAgreed();
    exchange_.Inspect([&](Exchange<float>& exchange) {
      LoadMemory(exchange, MemoryOf(save, exchange.parameters()));
      exchange.GoOnAt(save.step);
    });
  }

 private:
  std::vector<MemoryVector> MemoryOf(const train::Save& save, const std::vector<Parameter>& parameters) const {
    if (!save.other_world) return MemoryIn(save.files[0], parameters);
    return Reshard(save.files, parameters, MakeParts(of_.config.comm, of_.config.run.seed).topology);
  }

  /// Whether a rank may make no pass while others make theirs, for which the Reducer must need no other rank.
  bool MayRest() const {
    return of_.config.train.mode == "local" &&
           std::ranges::any_of(of_.config.local.gradient_p, [](double q) { return q < 1; });
  }

  void MoveToAgreed() {
    const auto model = rounds_.agreed();
    const auto point = of_.network.Point();
    for (size_t p = 0; p < model.size(); ++p) std::ranges::copy(model[p], point[p].begin());
  }

  /// Post-local SGD: what is exchanged from now on are differences of models.
  void ForgetMemory() {
    exchange_.Inspect([](Exchange<float>& exchange) { exchange.ForgetMemory(); });
  }

  const StepsOf of_;
  ExchangeThread<float>& exchange_;
  BatchRounds batches_;
  Delayed<float> delayed_;
  ModelRounds<float> rounds_;
};

}  // namespace

std::unique_ptr<Steps> MakeRoundSteps(const StepsOf& of) { return std::make_unique<RoundSteps>(of); }

}  // namespace gradwire::train
