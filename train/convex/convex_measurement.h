// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "train/convex/convex_driver.h"
#include "train/loop/measurement.h"

namespace gradwire::train {

/// Tells problems apart, such as two states of one file.
struct ProblemLabel {
  uint64_t workers = 0, dimension = 0, samples = 0;
  double value = 0;  ///< f at a point where every unknown counts
};

/// The distance to the solution, and what it took to come so near. A save's label tells problems apart.
class ConvexMeasurement final : public Measurement {
 public:
  /// `driver` outlives this, as does the context. `is_heard`: whether this rank's records are: the others spare
  /// themselves what only they need.
  ConvexMeasurement(const ConvexContext& context, ConvexDriver& driver, bool is_heard)
      : context_(context), driver_(driver), is_heard_(is_heard) {}

  std::optional<Record> Begin(const RunPosition& at) override;
  Record Interval(const RunPosition& at) override;
  Record Final(const RunPosition& at, bool finite) override;

  void Save(Snapshot& file) override;
  void Check(const train::Save& save) override;

 private:
  ConvexState Measure(const RunPosition& at);
  double GradientNorm(std::span<const double> x) const;

  const ConvexContext context_;
  ConvexDriver& driver_;
  const bool is_heard_;
  std::optional<ProblemLabel> label_;
};

}  // namespace gradwire::train
