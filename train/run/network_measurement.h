// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "train/loop/measurement.h"
#include "train/report/meter.h"
#include "train/report/network_records.h"
#include "train/run/network_driver.h"

namespace gradwire::train {

/// Loss, accuracy, bytes and times of a network's run; at its end, model.pt.
class NetworkMeasurement final : public Measurement {
 public:
  /// `driver` outlives this, as does what the context has. `is_heard`: whether this rank's records are. The run's time
  /// begins now.
  NetworkMeasurement(const NetworkContext& context, NetworkDriver& driver, bool is_heard);

  std::optional<Record> Begin(const RunPosition& at) override;
  Record Interval(const RunPosition& at) override;
  /// On the test set, shared among the ranks, with batch norm's statistics averaged over them.
  std::optional<Record> Evaluate(const RunPosition& at) override;
  Record Final(const RunPosition& at, bool finite) override;
  void Skip(double seconds) override { meter_.Skip(seconds); }

  void Save(Snapshot& file) override;
  void Check(const train::Save& save) override;
  void Load(const train::Save& save) override;

 private:
  Meter::Step Place(const RunPosition& at) const;
  Tally Sum(const Tally& mine);
  uint64_t images() const { return context_.batches.data().train.size(); }

  const NetworkContext context_;
  NetworkDriver& driver_;
  const bool is_heard_;
  NetworkRecords records_;
  Meter meter_;
  Progress saved_;  // of the save that the run goes on from
  NetworkEvaluation last_;
};

}  // namespace gradwire::train
