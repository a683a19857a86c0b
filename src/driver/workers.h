// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "driver/objective.h"
#include "exchange/joint_exchange.h"

namespace gradwire {

/// The workers of a run that this process drives, one of them or all, and how they exchange. T is float or double. Not
/// thread-safe.
template <typename T>
class Workers {
 public:
  virtual ~Workers() = default;

  virtual size_t size() const = 0;
  virtual Objective<T>& operator[](size_t worker) = 0;
  /// act(worker) once for each, perhaps by several threads.
  virtual void ForEach(const std::function<void(size_t worker)>& act) = 0;

  /// Each worker's gradient at its point, exchanged: afterwards gradient() of each is the mean.
  virtual void Gradients(const Round& round) = 0;
  /// One vector of each worker, all parameters one behind another: each becomes the mean.
  virtual void Exchange(const Round& round, std::span<std::vector<T>> vectors) = 0;
};

/// The worker of this rank, whose exchange with the others is behind a sink. Vectors go in buckets of about so many
/// bytes.
template <typename T>
class OneWorker final : public Workers<T> {
 public:
  /// All outlive this.
  OneWorker(Objective<T>& objective, BucketSink<T>& sink, size_t bucket_bytes)
      : objective_(objective), sink_(sink), bucket_bytes_(bucket_bytes) {}

  size_t size() const override { return 1; }
  Objective<T>& operator[](size_t) override { return objective_; }
  void ForEach(const std::function<void(size_t)>& act) override { act(0); }
  void Gradients(const Round& round) override { objective_.Gradient(round, sink_); }
  void Exchange(const Round& round, std::span<std::vector<T>> vectors) override;

 private:
  Objective<T>& objective_;
  BucketSink<T>& sink_;
  const size_t bucket_bytes_;
};

/// All workers, with an exchange in this process. Their objectives leave the memory of a gradient's buckets where it is
/// until the next one.
template <typename T>
class AllWorkers final : public Workers<T> {
 public:
  /// All outlive this. `objectives`: by rank.
  AllWorkers(std::vector<Objective<T>*> objectives, JointExchange<T>& exchange)
      : objectives_(std::move(objectives)), exchange_(exchange) {}

  size_t size() const override { return objectives_.size(); }
  Objective<T>& operator[](size_t worker) override { return *objectives_[worker]; }
  void ForEach(const std::function<void(size_t)>& act) override { exchange_.ForRanks(act); }
  void Gradients(const Round& round) override;
  void Exchange(const Round& round, std::span<std::vector<T>> vectors) override;

 private:
  const std::vector<Objective<T>*> objectives_;
  JointExchange<T>& exchange_;
};

}  // namespace gradwire
