// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_exchange.h"

#include "exchange/joint_memory.h"
#include "exchange/saved_memory.h"
#include "gradwire/exchange_thread.h"
#include "train/checkpoint/memory_files.h"

namespace gradwire::train {
namespace {

constexpr size_t kOneBucket = ~size_t{0};

class OverCollective final : public ConvexExchange {
 public:
  OverCollective(Collective& collective, std::vector<Parameter> parameters, ExchangeParts parts)
      : collective_(collective), exchange_(collective_, std::move(parameters), std::move(parts)), sink_(exchange_) {}

  void Open(uint32_t channel) override { exchange_.Open(channel); }
  std::unique_ptr<Workers<double>> MakeWorkers(std::vector<Objective<double>*> objectives) override {
    return std::make_unique<OneWorker<double>>(*objectives.at(0), sink_, kOneBucket);
  }
  std::unique_ptr<Peers> MakePeers() override {
    return gradwire::MakePeers(exchange_, static_cast<uint32_t>(collective_.rank()),
                               static_cast<uint32_t>(collective_.size()));
  }
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
};

class InProcess final : public ConvexExchange {
 public:
  InProcess(size_t ranks, size_t threads, std::vector<Parameter> parameters, ExchangeParts parts)
      : exchange_(static_cast<uint32_t>(ranks), threads, std::move(parameters), std::move(parts)) {}

  void Open(uint32_t channel) override { exchange_.Open(channel); }
  std::unique_ptr<Workers<double>> MakeWorkers(std::vector<Objective<double>*> objectives) override {
    return std::make_unique<AllWorkers<double>>(std::move(objectives), exchange_);
  }
  std::unique_ptr<Peers> MakePeers() override { return gradwire::MakePeers(exchange_); }
  void ForgetMemory() override { exchange_.ForgetMemory(); }
  ExchangeStats stats(size_t worker) const override { return exchange_.stats(worker); }
  double Sum(double own) override { return own; }
  ConvexMemory Save(size_t worker) override { return SaveMemory(exchange_, static_cast<uint32_t>(worker)); }
  void Load(std::vector<ConvexMemory> memory) override { LoadMemory(exchange_, memory); }
  void SaveOpenings(Snapshot& file) override { PutOpenings(file, exchange_); }
  void LoadOpenings(const train::Save& save) override { train::LoadOpenings(save, exchange_); }

 private:
  JointExchange<double> exchange_;
};

}  // namespace

std::unique_ptr<ConvexExchange> MakeConvexExchange(const ConvexContext& context, std::vector<Parameter> parameters,
                                                   ExchangeParts parts) {
  if (context.collective != nullptr)
    return std::make_unique<OverCollective>(*context.collective, std::move(parameters), std::move(parts));
  return std::make_unique<InProcess>(context.setup.problem->workers.size(), ThreadsOf(context.config),
                                     std::move(parameters), std::move(parts));
}

}  // namespace gradwire::train
