// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "exchange/agree.h"
#include "exchange/bucket_plan.h"
#include "exchange/saved_memory.h"
#include "gradwire/exchange.h"

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
  Agreement agreement;       // on the orders of elements
  Lane lane;
  std::map<uint32_t, ExchangeStats> stats;  // by bucket
  uint64_t token = 0;
  std::map<std::pair<uint32_t, bool>, std::shared_ptr<const BucketPlan>> plans;  // by bucket and whether dense
  std::multimap<size_t, std::unique_ptr<std::byte[]>> free_buffers;              // by size
  uint64_t step = ~uint64_t{0};                                                  // that the memory belongs to
  bool poisoned = false;                                                         // some bucket of that step
  /// The step that opens the links' shifts, with dense messages where they want it; none: the next one that goes
  /// through them.
  std::optional<uint64_t> opening;

  /// Every vector that the links keep on this rank.
  void ForEachKept(const std::function<void(bool down, uint32_t parameter, std::string_view name)>& look) const;
  /// All of them, as zeros: what there is to save does not depend on the step.
  void MakeMemory();
  /// Zeros, of no step: a poisoned one before it undoes nothing any more.
  void ForgetMemory();
  /// Whether all pieces travel dense in this round: the first one of some links, and the refreshed ones of MARINA.
  bool IsDense(uint64_t step) const;
  /// The elements of each parameter, and with them its memory, lie in these orders from now on. Between two steps.
  void Arrange(const std::vector<ElementOrder>& orders);
  /// Takes back what a poisoned step did to the memory, where it shall be undone. Between two steps only.
  void Settle();
  void BeginStep(uint64_t next);

  void ShareOut(uint32_t parameter, StateStore<T>& store, bool down);

  /// Replaced when a layout changes.
  std::shared_ptr<const BucketPlan> PlanOf(const Bucket<T>& bucket, bool dense);
};

/// What is saved and loaded of both stores: see SaveMemory and LoadMemory.
template <typename T>
std::vector<SavedVector<T>> SaveVectors(const ExchangeCore<T>& core);
template <typename T>
void LoadVectors(ExchangeCore<T>& core, const std::vector<SavedVector<T>>& memory);

/// Whether a vector lies, piece by piece, with the owners of the pieces, and is zero elsewhere.
bool LiesWithOwners(bool down, std::string_view name, Topology topology);
/// Zeroes the pieces of a vector of that kind that other ranks own. `values`: as they lie in buckets.
template <typename T>
void KeepOwned(const ExchangeCore<T>& core, uint32_t parameter, std::span<T> values);

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

/// The regularised step instead of the plain one: g <- (x - prox_{lr R}(x - lr g)) / lr, element by element, and 0
/// where lr is no step; nothing without a regulariser. Throws Error where there is one and no point.
template <typename T>
void OwnerStep(const Prox& prox, double lr, std::span<const T> point, std::span<T> gradient);
/// The same for a whole bucket.
template <typename T>
void OwnerStep(const Prox& prox, const Round& round, const Bucket<T>& bucket);

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
