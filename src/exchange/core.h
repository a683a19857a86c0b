// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "exchange/bucket_plan.h"
#include "gradwire/exchange.h"

namespace gradwire {

/// What all buckets of an exchange share.
template <typename T>
struct ExchangeCore {
  ExchangeCore(Collective& collective, std::vector<Parameter> parameters, ExchangeParts parts)
      : collective(collective), parameters(std::move(parameters)), parts(std::move(parts)), state(this->parameters) {}
  ExchangeCore(const ExchangeCore&) = delete;  // state points to parameters

  Collective& collective;
  const std::vector<Parameter> parameters;
  const ExchangeParts parts;
  const std::shared_ptr<const Compressor> dense = ParseCompressor("identity");
  StateStore<T> state;
  Lane lane;
  ExchangeStats stats;
  uint64_t token = 0;
  std::map<uint32_t, std::shared_ptr<const BucketPlan>> plans;    // by bucket index; replaced when a layout changes
  std::multimap<size_t, std::unique_ptr<std::byte[]>> free_buffers;  // by size
};

/// A bucket under way: Start sends it, Finish puts the mean in place. Where either throws, the transport may still write
/// into the flight's buffers: it must live until the collective is destroyed.
template <typename T>
class Flight {
 public:
  virtual ~Flight() = default;
  virtual void Start() = 0;
  virtual void Finish() = 0;
};

// One function per topology.
template <typename T>
std::unique_ptr<Flight<T>> MakeAllGather(ExchangeCore<T>& core, uint64_t step, const Bucket<T>& bucket);
template <typename T>
std::unique_ptr<Flight<T>> MakeAllReduce(ExchangeCore<T>& core, const Bucket<T>& bucket);

/// Adds its lifetime, in seconds, to a total.
class Timer {
 public:
  explicit Timer(double& total) : total_(total) {}
  ~Timer() { total_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Timer(const Timer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& total_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace gradwire
