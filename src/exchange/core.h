// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "exchange/bucket_plan.h"
#include "gradwire/exchange.h"
#include "gradwire/saved_memory.h"

namespace gradwire {

/// What all buckets of an exchange share.
template <typename T>
struct ExchangeCore {
  ExchangeCore(Collective& collective, std::vector<Parameter> parameters, ExchangeParts parts)
      : collective(collective),
        parameters(std::move(parameters)),
        parts(std::move(parts)),
        state(this->parameters),
        down_state(this->parameters) {}
  ExchangeCore(const ExchangeCore&) = delete;  // state points to parameters

  Collective& collective;
  const std::vector<Parameter> parameters;
  const ExchangeParts parts;
  const std::shared_ptr<const Compressor> dense = ParseCompressor("identity");
  StateStore<T> state;       ///< of this rank as a sender, and as a receiver of all pieces or of those that it owns
  StateStore<T> down_state;  ///< of the way back
  Lane lane;
  std::map<uint32_t, ExchangeStats> stats;  // by bucket
  uint64_t token = 0;
  std::map<std::pair<uint32_t, bool>, std::shared_ptr<const BucketPlan>> plans;  // by bucket and whether dense
  std::multimap<size_t, std::unique_ptr<std::byte[]>> free_buffers;              // by size
  uint64_t step = ~uint64_t{0};                                                  // that the memory belongs to
  bool poisoned = false;                                                         // some bucket of that step

  /// All vectors that the links will use, as zeros: what there is to save does not depend on the step.
  void MakeMemory();
  /// Zeros, of no step: a poisoned one before it undoes nothing any more.
  void ForgetMemory();
  /// Whether all pieces travel dense in this round: the first one of some links, and the refreshed ones of MARINA.
  bool IsDense(uint64_t step) const;
  /// Takes back what a poisoned step did to the memory, where it shall be undone. Between two steps only.
  void Settle();
  void BeginStep(uint64_t next);

  /// Replaced when a layout changes.
  std::shared_ptr<const BucketPlan> PlanOf(const Bucket<T>& bucket, bool dense);
};

/// Copies of all vectors of both stores. See SaveMemory.
template <typename T>
std::vector<SavedVector<T>> SaveVectors(const StateStore<T>& up, const StateStore<T>& down);
/// Writes them back after `forget`. Throws Error, and changes nothing, where one is not of its parameter's size.
template <typename T>
void LoadVectors(const std::vector<Parameter>& parameters, const std::vector<SavedVector<T>>& memory, StateStore<T>& up,
                 StateStore<T>& down, const std::function<void()>& forget);

/// A bucket under way: Start sends it, and each wait's end advances it, until the mean is in place. Neither waits.
/// Where either throws, the transport may still write into the flight's buffers: it must live until the collective is
/// destroyed.
template <typename T>
class Flight {
 public:
  virtual ~Flight() = default;
  virtual void Start() = 0;
  /// The operation whose end it waits for; none: it is finished.
  virtual std::optional<uint64_t> awaits() const = 0;
  virtual void Advance() = 0;
};

// One function per topology.
template <typename T>
std::unique_ptr<Flight<T>> MakeAllGather(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket);
template <typename T>
std::unique_ptr<Flight<T>> MakeSharded(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket);
/// Dense whatever the operator: for the first start_iter steps.
template <typename T>
std::unique_ptr<Flight<T>> MakeDenseAllReduce(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket);
template <typename T>
std::unique_ptr<Flight<T>> MakeAllReduce(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket);

/// The regularised step instead of the plain one: g <- (x - prox_{lr R}(x - lr g)) / lr, element by element; nothing
/// without a regulariser. Throws Error where there is one and no point.
template <typename T>
void OwnerStep(const Prox& prox, const Round& round, std::span<const T> point, std::span<T> gradient);

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
