// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/nn/module.h>

#include "gradwire/abilities.h"
#include "gradwire/c10d_group.h"
#include "gradwire/comm_config.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/pays.h"

namespace gradwire {

struct DdpOptions {
  CommConfig comm;
  uint64_t seed = 0;                    ///< of the operators' random bits; equal on all ranks
  bool find_unused_parameters = false;  ///< as in Python's DistributedDataParallel
  /// Leaves the Reducer its own all-reduce: what DDP does without gradwire. The baseline of tests and benchmarks.
  bool plain = false;
  /// With plain: leaves each rank its own gradients. What a step costs without any exchange, for benchmarks.
  bool floor = false;
  /// What methods get beside one gradient a batch, of drivers that exchange by themselves (Route).
  Abilities given = {};
  const BitRule* count_as = nullptr;  ///< ExchangeParts::count_as
};

/// What a DistributedDataParallel does for any module; use the template below.
///
/// Parameters and buffers are rank 0's after construction. Gradients are views of the buckets after backward; clear
/// them by ZeroGrad(), as Python's zero_grad(set_to_none=True) (torch::optim's zero_grad throws on such views). Buffers
/// (batch norm's statistics) stay local until AverageBuffers(). One thread uses it; the exchange has a thread of its
/// own.
class DdpBase {
 public:
  /// `group`: for the Reducer's own start-up messages. `collective`: for the gradients. Both are used by all ranks
  /// alike. Throws ConfigError where the ranks' settings or models differ.
  DdpBase(std::shared_ptr<torch::nn::Module> module, c10::intrusive_ptr<c10d::ProcessGroup> group,
          std::unique_ptr<Collective> collective, const DdpOptions& options);
  ~DdpBase();

  void ZeroGrad();

  /// Every float32 buffer becomes its mean over the ranks, the same bits on each. Call it before evaluation, by all
  /// ranks, with a collective that no other thread uses.
  void AverageBuffers(Collective& collective);

  /// The parameters that were trainable at construction, by name, in the exchange's order, which lacks those with
  /// sparse gradients: these are averaged exactly by the Reducer's group.
  const std::vector<std::pair<std::string, at::Tensor>>& parameters() const;

  /// The thread that exchanges gradients; null for a plain one.
  ExchangeThread<float>* exchange();

  /// What `comm.when` came to, measured at construction.
  const WhenAnswer& answer() const;

  /// Buckets from now on belong to this round and go to this sink; without it steps are counted from 0 and go to
  /// exchange(). For drivers that exchange by themselves.
  void Route(const Round& round, BucketSink<float>& sink);

  /// From the next gradient on: the step sizes that the optimizer will take along it, in the order of parameters(), the
  /// same on all ranks. Methods with the step size inside (ec, ec_diana, dore) must have them, by this or by Route,
  /// before the first gradient. Throws Error for one that is not finite, or below 0.
  void SetLrs(std::vector<double> by_parameter);

  /// Seconds spent waiting for results after the last bucket of each step was handed over.
  double exposed_s() const;

  /// Waits for what is under way and joins the exchange's thread. Idempotent; the destructor calls it. In a forked
  /// child both do nothing.
  void Close();

 protected:
  void BeforeForward();
  void BeforeBackward(const std::vector<at::Tensor>& outputs);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Data-parallel training of a torch::nn module over a c10d::Reducer, as Python's DistributedDataParallel, with
/// gradients that cross the wire as `options.comm` says:
///
///     gradwire::DistributedDataParallel ddp(model, group, std::move(collective), {.comm = {.method = "ef"}});
///     ddp.ZeroGrad();
///     loss(ddp(images), labels).backward();   // gradients are the means over the ranks when it returns
///     optimizer.step();
template <typename Module>
class DistributedDataParallel : public DdpBase {
 public:
  DistributedDataParallel(std::shared_ptr<Module> module, c10::intrusive_ptr<c10d::ProcessGroup> group,
                          std::unique_ptr<Collective> collective, const DdpOptions& options)
      : DdpBase(module, std::move(group), std::move(collective), options), module_(std::move(module)) {}

  /// The module's forward; its output must reach the loss whose backward follows.
  template <typename... Inputs>
  at::Tensor operator()(Inputs&&... inputs) {
    BeforeForward();
    at::Tensor output = module_->forward(std::forward<Inputs>(inputs)...);
    BeforeBackward({output});
    return output;
  }

  Module& module() { return *module_; }

 private:
  std::shared_ptr<Module> module_;
};

}  // namespace gradwire
