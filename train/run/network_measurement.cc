// SPDX-License-Identifier: Apache-2.0
#include "train/run/network_measurement.h"

#include <algorithm>
#include <array>

#include "train/checkpoint/progress.h"
#include "train/models/weights.h"
#include "train/network/at_model.h"
#include "train/report/clock.h"

namespace gradwire::train {
namespace {

constexpr size_t kEvalBatch = 250;

}  // namespace

NetworkMeasurement::NetworkMeasurement(const NetworkContext& context, NetworkDriver& driver, bool is_heard)
    : context_(context), driver_(driver), is_heard_(is_heard), records_(context.config, context.batches.data().name) {
  meter_.Begin(0);
}

std::optional<Record> NetworkMeasurement::Begin(const RunPosition&) {
  meter_.BeginInterval();
  return std::nullopt;
}

Meter::Step NetworkMeasurement::Place(const RunPosition& at) const {
  return {at.step, at.total_steps, at.steps_per_epoch, at.lr, driver_.workers(), driver_.dense_bytes()};
}

/// The sums over all ranks.
Tally NetworkMeasurement::Sum(const Tally& mine) {
  std::array<double, 3> sums{mine.loss, mine.correct, mine.images};
  Collective& metrics_collective = *context_.world.metrics_collective;
  metrics_collective.Finish(metrics_collective.StartAllReduce(std::span<double>(sums)));
  return {sums[0], sums[1], sums[2]};
}

Record NetworkMeasurement::Interval(const RunPosition& at) {
  const Tally tally = Sum(context_.network.TakeTally());
  NetworkInterval interval = meter_.Interval(Place(at), tally, driver_.totals());
  interval.stats = driver_.stats();
  return records_.Interval(interval);
}

std::optional<Record> NetworkMeasurement::Evaluate(const RunPosition& at) {
  const double begin = Now();
  Network& network = context_.network;
  const Batches& batches = context_.batches;
  const AtModel at_agreed(network.parameter_values(), driver_.PrepareEvaluation());
  network.ddp().AverageBuffers(*context_.world.metrics_collective);
  Tally tally;
  for (size_t i = 0; i < batches.test_size(); i += kEvalBatch) {
    const Batch batch = batches.Test(i, std::min(kEvalBatch, batches.test_size() - i));
    network.Evaluate(batch.images, batch.labels, tally);
  }
  last_ = meter_.Evaluation(Place(at), Sum(tally));
  last_.spread = driver_.spread();
  Skip(Now() - begin);
  return records_.Evaluation(last_);
}

Record NetworkMeasurement::Final(const RunPosition&, bool) {
  if (is_heard_) SaveStateDict(context_.network.ddp().module(), context_.config.run.output_dir + "/model.pt");
  return records_.Final(last_);
}

void NetworkMeasurement::Save(Snapshot& file) {
  PutProgress(file, meter_.At(driver_.totals(), context_.network.tally()), images());
}

void NetworkMeasurement::Check(const train::Save& save) { saved_ = ProgressIn(save, context_.env.rank, images()); }

void NetworkMeasurement::Load(const train::Save& save) {
  meter_.Resume(static_cast<int64_t>(save.step), saved_, driver_.totals());
  context_.network.SetTally(saved_.tally);
}

}  // namespace gradwire::train
