// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "gradwire/collective.h"
#include "gradwire/comm_config.h"
#include "gradwire/exchange.h"
#include "gradwire/pays.h"

namespace gradwire {

struct DdpHookOptions {
  CommConfig comm;
  uint64_t seed = 0;  ///< of the operators' random bits; equal on all ranks
  /// Gradients come multiplied by a GradScaler's scale: a step in which any rank has a non-finite element leaves the
  /// memory of all ranks as it was.
  bool scaled = false;
  /// The Reducer whose buckets come. It tells in which order a bucket holds a gradient's elements, which the model's
  /// memory format and the first backward change, and its group averages sparse gradients, exactly. Without it
  /// parameters must keep the memory format that they have, and their gradients must be dense.
  std::shared_ptr<c10d::Reducer> reducer = nullptr;
};

/// What one bucket, or all of them, has exchanged on this rank so far.
struct BucketTotals {
  ExchangeStats exchange;
  uint64_t pushes = 0;       ///< times it was exchanged
  uint64_t dense_bytes = 0;  ///< what a ring all-reduce of the same gradients, in their dtype, would have sent
  double residual_norm = 0;  ///< of error feedback's memory of its parameters, as it is now
};

/// One vector of a rank's memory, as a tensor.
struct MemoryTensor {
  bool down = false;  ///< of the way back
  uint32_t parameter = 0;
  std::string name;
  at::Tensor values;  ///< 1-D, float32 or float64; the parameter's elements row by row
};

/// A rank's memory, and what it belongs to: see MemorySettings.
struct RankMemory {
  std::string settings;
  std::vector<MemoryTensor> vectors;
};

/// Compresses the gradients of a c10d::Reducer, C++'s or that of Python's DistributedDataParallel:
///
///     auto hook = MakeDdpHook(named_parameters, std::move(collective), {.comm = {.method = "ef"}, .reducer =
///     reducer}); reducer->register_comm_hook(hook->ForReducer());
///
/// Gradients may be float32, float16, bfloat16 (exchanged as float32) or float64, which makes all of the exchange
/// float64; on the CPU, or on another device, from where they are staged through pinned memory. Its threads do not use
/// Python. Calls other than the Reducer's belong between two steps and come from one thread at a time. In a forked
/// child they throw Error, but for Close and the destructor, which do nothing there.
class DdpHook {
 public:
  virtual ~DdpHook() = default;

  /// For Reducer::register_comm_hook. Null, which leaves the Reducer its own all-reduce, where that does all that is
  /// asked for: the plain mean (method none), with the time-out of DDP's group in place of `comm.timeout_s` at its
  /// default. Its errors are then DDP's, and Totals tells what the Reducer's counters say, without times.
  virtual std::unique_ptr<c10d::CommHookInterface> ForReducer() = 0;
  /// Whether gradients come to this hook. No: the Reducer that ForReducer was called for reduces by itself.
  virtual bool reduces() const = 0;
  /// For those who call the hook themselves, in the order of the buckets.
  virtual c10::intrusive_ptr<c10::ivalue::Future> Push(c10d::GradBucket& bucket) = 0;

  /// From the next bucket on: what gradients come multiplied by (a power of two), and the step sizes that the optimizer
  /// will take along them, one for all parameters or one for each, in the order of `named`; the same on all ranks.
  /// Methods with the step size inside (ec, ec_diana, dore) must have it before the first bucket. Throws Error for one
  /// that is not finite, or below 0.
  virtual void SetScale(double scale) = 0;
  virtual void SetLr(double lr) = 0;
  virtual void SetLrs(std::vector<double> by_parameter) = 0;

  virtual int world_size() const = 0;

  /// What `comm.when` came to: measured when the hook was made, or of the save that was loaded.
  virtual WhenAnswer answer() const = 0;

  /// Totals by bucket. Waits for the buckets under way.
  virtual std::map<uint32_t, BucketTotals> Totals() = 0;

  /// How many buckets have got their result so far, and when the last one did, in seconds of the steady clock. Any
  /// thread, at any time: whoever watches a job sees whether it goes on.
  virtual std::pair<uint64_t, double> Finished() const = 0;

  /// The step of the next gradient.
  virtual uint64_t step() const = 0;
  /// Copies. Waits for the buckets under way.
  virtual RankMemory Save() = 0;
  /// Replaces step and memory, and, where `comm.when` is pays, the answer by the save's: then all ranks call it alike,
  /// and a hook that has been exchanging compressed gradients goes on with dense ones itself. Throws Error, and changes
  /// nothing, where the memory is of other settings, with the difference, or is not all that this hook keeps; a vector
  /// must be finite and of its parameter's size.
  virtual void Load(uint64_t step, const RankMemory& memory) = 0;
  /// The same from all ranks of a job of another size, by gradwire::Reshard.
  virtual void LoadResharded(uint64_t step, const std::vector<RankMemory>& old_ranks) = 0;
  /// Goes on at that step with an empty memory.
  virtual void Reset(uint64_t step) = 0;

  /// Finishes what is under way, each wait bounded by the timeout, joins the thread, and leaves the group. Idempotent;
  /// a bucket that comes later ends with an Error.
  virtual void Close() = 0;
};

/// `named`: the Reducer's parameters with dense gradients, by name, in the same order on all ranks. All ranks call it
/// alike. Throws
/// ConfigError where settings cannot work, or where the ranks' settings or parameters differ, with the difference.
std::shared_ptr<DdpHook> MakeDdpHook(const std::vector<std::pair<std::string, at::Tensor>>& named,
                                     std::unique_ptr<Collective> collective, const DdpHookOptions& options);

}  // namespace gradwire
