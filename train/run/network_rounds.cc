// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "driver/delayed.h"
#include "driver/model_round.h"
#include "gradwire/cost.h"
#include "gradwire/method.h"
#include "train/checkpoint/archive.h"
#include "train/checkpoint/memory_files.h"
#include "train/config/modes.h"
#include "train/run/batch_rounds.h"
#include "train/run/network_driver.h"
#include "train/run/when.h"
#include "train/run/whole_model.h"

namespace gradwire::train {
namespace {

constexpr const char *kDelayed = "delayed", *kAgreed = "agreed", *kOuterMomentum = "outer momentum", *kShift = "shift",
                     *kRests = "rests";

std::vector<float> Floats(const Snapshot& file, const char* name) {
  std::vector<float> values(file.Bytes(name).size() / sizeof(float));
  file.Fill(name, std::span<float>(values));
  return values;
}

class NetworkRounds final : public NetworkDriver {
 public:
  explicit NetworkRounds(const NetworkContext& context)
      : context_(context),
        is_local_(ModeOf(context.config).is_local),
        exchange_(*context.network.ddp().exchange()),
        batches_(context, exchange_),
        delayed_(batches_, context.config.train.delay),
        rounds_(delayed_, exchange_, LocalOf(context.config), context.config.run.seed,
                static_cast<uint32_t>(context.env.rank),
                static_cast<size_t>(context.config.comm.bucket_cap_mb * (1 << 20)), [this] { ForgetMemory(); }) {
    exchange_.Inspect([&](Exchange<float>& exchange) {
      for (const uint32_t channel : ChannelsOf(LocalOf(context.config))) exchange.Open(channel);
    });
    if (context.config.analysis.alpha_beta)
      reference_ = PointIn(context.config, context.config.analysis.reference + "/model.pt");
  }

  void Begin(const Round&) override {
    if (!MayRest()) return;
    context_.SetBatch(0);
    for (int pass = 0; pass < 2; ++pass) context_.network.SettleBuckets();
  }

  bool Step(const Round& round) override {
    if (!reference_.empty()) Look(round);
    const bool parted = is_local_ && round.step >= static_cast<uint64_t>(context_.config.local.start_iter);
    const bool is_point = rounds_.Step(round);
    if (is_point && parted) context_.network.ddp().AverageBuffers(*context_.world.metrics_collective);
    if (!std::isfinite(context_.network.last_loss()))
      throw Error("step " + std::to_string(round.step) + ": the loss is " +
                  std::to_string(context_.network.last_loss()) + " on rank " + std::to_string(context_.env.rank) +
                  "; lower optimizer.lr or add lr_scheduler.warmup_epochs");
    return is_point;
  }

  void End(const Round& round) override { rounds_.Agree(round); }

  std::vector<std::span<const float>> PrepareEvaluation() override { return rounds_.agreed(); }

  Totals totals() override {
    Totals totals;
    exchange_.Inspect([&](Exchange<float>& exchange) {
      totals.stats = exchange.stats(), totals.residual_norm = std::sqrt(exchange.state().SquaredNorm("e"));
    });
    totals.exposed_s = context_.network.ddp().exposed_s();
    return totals;
  }

  std::optional<AlphaBetaMeter> alpha_beta() override {
    if (reference_.empty()) return std::nullopt;
    const std::vector<double> own = seen_.Numbers();
    std::vector<double> all(own.size() * static_cast<size_t>(context_.env.world_size));
    std::ranges::copy(own, all.begin() + static_cast<std::ptrdiff_t>(own.size()) * context_.env.rank);
    Collective& collective = *context_.world.metrics_collective;
    collective.Finish(collective.StartAllReduce(std::span<double>(all)));
    AlphaBetaMeter seen;
    for (size_t at = 0; at < all.size(); at += own.size())
      seen.Add(AlphaBetaMeter::Of(std::span(all).subspan(at, own.size())));
    return seen;
  }

  int workers() const override { return context_.env.world_size; }
  uint64_t dense_bytes() const override {
    return DenseRingBytes(context_.network.parameters(), context_.env.world_size);
  }

  void Save(Snapshot& file) override {
    context_.network.Save(file);
    batches_.Save(file);
    PutState(file, kDelayed, delayed_);
    PutAnswer(context_.config, file);
    const auto memory = rounds_.Save();
    file.Put(kAgreed, std::span<const float>(memory.agreed));
    file.Put(kOuterMomentum, std::span<const float>(memory.momentum));
    file.Put(kShift, std::span<const float>(memory.shift));
    file.PutValue(kRests, memory.rests);
    exchange_.Inspect([&](Exchange<float>& inside) { PutMemory(file, inside), PutOpenings(file, inside); });
  }

  void Load(const train::Save& save) override {
    context_.SetBatch(0);
    context_.network.SettleBuckets();
    const Snapshot& file = save.files[0];
    context_.network.Load(file);
    batches_.Load(save);
    if (file.Has(kDelayed)) GetState(file, kDelayed, delayed_);  // means over the ranks: in another world as well
    ModelRounds<float>::Memory memory{Floats(file, kAgreed), Floats(file, kOuterMomentum)};
    if (!save.other_world) memory.shift = Floats(file, kShift), memory.rests = file.Value<bool>(kRests);
    rounds_.Load(std::move(memory));
    if (save.other_world) MoveToAgreed();
    exchange_.Inspect([&](Exchange<float>& exchange) {
      LoadMemory(exchange, MemoryOf(save, exchange.parameters()));
      LoadOpenings(save, exchange);
    });
  }

 private:
  std::vector<MemoryVector> MemoryOf(const train::Save& save, const std::vector<Parameter>& parameters) const {
    if (!save.other_world) return MemoryIn(save.files[0], parameters);
    return Reshard(save.files, parameters, MakeParts(context_.config.comm, context_.config.run.seed).topology);
  }

  /// Sees the batch of the round from the reference: two passes forward and one back more.
  void Look(const Round& round) {
    context_.SetBatch(static_cast<int64_t>(round.draw()));
    const std::vector<float> x = WholePoint(context_.network);
    const std::vector<Parameter>& parameters = context_.network.parameters();
    Tally here;
    std::vector<float> gradient;
    for (const at::Tensor& part : context_.network.GradientAt(Parts(x, parameters), &here))
      gradient.insert(gradient.end(), part.const_data_ptr<float>(), part.const_data_ptr<float>() + part.numel());
    seen_.Add(View<float>(x, reference_, gradient, here.loss / here.images,
                          context_.network.LossAt(Parts(reference_, parameters))));
  }

  /// Whether a rank may make no pass while others make theirs, for which the Reducer must need no other rank.
  bool MayRest() const {
    return is_local_ && std::ranges::any_of(context_.config.local.gradient_p, [](double q) { return q < 1; });
  }

  void MoveToAgreed() {
    const auto model = rounds_.agreed();
    const auto point = context_.network.parameter_values();
    for (size_t p = 0; p < model.size(); ++p) std::ranges::copy(model[p], point[p].begin());
  }

  /// Post-local SGD: what is exchanged from now on are differences of models.
  void ForgetMemory() {
    exchange_.Inspect([](Exchange<float>& exchange) { exchange.ForgetMemory(); });
  }

  const NetworkContext context_;
  const bool is_local_;
  ExchangeThread<float>& exchange_;
  BatchRounds batches_;
  Delayed<float> delayed_;
  ModelRounds<float> rounds_;
  std::vector<float> reference_;  // empty where nothing is seen from it
  AlphaBetaMeter seen_;
};

}  // namespace

std::unique_ptr<NetworkDriver> MakeNetworkRounds(const NetworkContext& context) {
  return std::make_unique<NetworkRounds>(context);
}

}  // namespace gradwire::train
