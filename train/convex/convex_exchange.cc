// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_exchange.h"

#include "exchange/joint_memory.h"
#include "exchange/saved_memory.h"
#include "gradwire/exchange_thread.h"
#include "train/checkpoint/memory_files.h"
#include "train/config/modes.h"

namespace gradwire::train {
namespace {

constexpr size_t kOneBucket = ~size_t{0};

class OverCollective final : public ConvexExchange {
 public:
  OverCollective(const ConvexContext& context, Objective<double>& objective)
      : collective_(*context.collective),
        exchange_(collective_, objective.parameters(), context.parts.exchange),
        sink_(exchange_),
        worker_(objective, sink_, kOneBucket) {
    for (const uint32_t channel : ChannelsOf(LocalOf(context.config))) exchange_.Open(channel);
  }

  Workers<double>& workers() override { return worker_; }
  void ForgetMemory() override { exchange_.ForgetMemory(); }
  ExchangeStats stats(size_t) const override { return exchange_.stats(); }
  double Sum(double own) override {
    collective_.Finish(collective_.StartAllReduce(std::span(&own, 1)));
    return own;
  }
  ConvexMemory Save(size_t) override { return SaveMemory(exchange_); }
  void Load(std::vector<ConvexMemory> memory) override { LoadMemory(exchange_, memory.at(0)); }
  void SaveOpenings(Snapshot& file) override { PutOpenings(file, exchange_); }
  void LoadOpenings(const train::Save& save) override { train::LoadOpenings(save, exchange_); }

 private:
  Collective& collective_;
  Exchange<double> exchange_;
  DirectSink<double> sink_;
  OneWorker<double> worker_;
};

class InProcess final : public ConvexExchange {
 public:
  InProcess(const ConvexContext& context, const std::vector<Objective<double>*>& objectives)
      : exchange_(static_cast<uint32_t>(objectives.size()), ThreadsOf(context.config), objectives[0]->parameters(),
                  context.parts.exchange),
        workers_(objectives, exchange_) {
    for (const uint32_t channel : ChannelsOf(LocalOf(context.config))) exchange_.Open(channel);
  }

  Workers<double>& workers() override { return workers_; }
  void ForgetMemory() override { exchange_.ForgetMemory(); }
  ExchangeStats stats(size_t worker) const override { return exchange_.stats(worker); }
  double Sum(double own) override { return own; }
  ConvexMemory Save(size_t worker) override { return SaveMemory(exchange_, static_cast<uint32_t>(worker)); }
  void Load(std::vector<ConvexMemory> memory) override { LoadMemory(exchange_, memory); }
  void SaveOpenings(Snapshot& file) override { PutOpenings(file, exchange_); }
  void LoadOpenings(const train::Save& save) override { train::LoadOpenings(save, exchange_); }

 private:
  JointExchange<double> exchange_;
  AllWorkers<double> workers_;
};

}  // namespace

std::unique_ptr<ConvexExchange> MakeConvexExchange(const ConvexContext& context,
                                                   std::vector<Objective<double>*> objectives) {
  if (context.collective == nullptr) return std::make_unique<InProcess>(context, objectives);
  return std::make_unique<OverCollective>(context, *objectives[0]);
}

}  // namespace gradwire::train
