// SPDX-License-Identifier: Apache-2.0
#include "train/bench_ranks/rank.h"

#include <cstdlib>
#include <cstring>
#include <iostream>

#include <torch/nn/module.h>
#include <torch/utils.h>

#include "base/network_interface.h"
#include "base/text.h"
#include "gradwire/ddp.h"
#include "gradwire/error.h"
#include "train/join/world.h"
#include "train/models/state_dict_reader.h"

namespace gradwire::train {
namespace {

constexpr size_t kBatches = 3;  // gradients that take turns: that of a step is not the one before

using Gradients = std::vector<at::Tensor>;

/// Its gradient with respect to each parameter is the tensor that it is called with: what is timed is the exchange.
class Shapes : public torch::nn::Module {
 public:
  explicit Shapes(const Gradients& like) {
    for (size_t i = 0; i < like.size(); ++i)
      weights_.push_back(register_parameter(std::to_string(i), torch::zeros_like(like[i])));
  }

  at::Tensor forward(const Gradients& gradients) {
    std::vector<at::Tensor> products;
    for (size_t i = 0; i < weights_.size(); ++i)
      products.push_back(torch::dot(weights_[i].flatten(), gradients[i].flatten()));
    return torch::stack(products).sum();
  }

 private:
  std::vector<at::Tensor> weights_;
};

std::vector<Gradients> MakeBatches(const ExchangeOptions& options, int rank) {
  torch::manual_seed(rank);
  std::vector<Gradients> batches(kBatches);
  for (Gradients& batch : batches)
    for (const std::vector<int64_t>& shape : ShapesOf(options.model)) batch.push_back(torch::randn(shape));
  return batches;
}

class DdpVariant final : public Variant {
 public:
  DdpVariant(const World& world, const VariantSpec& spec, const std::string& name,
             const std::vector<Gradients>& batches)
      : batches_(batches) {
    DdpOptions options{.comm = spec.comm};
    options.plain = spec.kind != VariantSpec::Kind::kGradwire, options.floor = spec.kind == VariantSpec::Kind::kFloor;
    auto collective = options.plain ? nullptr : MakeC10dCollective(world.membership, name);
    ddp_ = std::make_unique<DistributedDataParallel<Shapes>>(std::make_shared<Shapes>(batches[0]),
                                                             MakeGlooGroup(world.membership, name + "/ddp"),
                                                             std::move(collective), options);
  }

  void Step() override {
    ddp_->ZeroGrad();
    (*ddp_)(batches_[step_++ % kBatches]).backward();
  }

  ExchangeCost Cost() override {
    ExchangeCost cost;
    if (ddp_->exchange() == nullptr) return cost;
    ddp_->exchange()->Inspect([&](Exchange<float>& exchange) {
      const ExchangeStats stats = exchange.stats();
      cost = {stats.encode_s, stats.wire_s, stats.decode_s, stats.bytes_sent()};
    });
    cost.wait_s = ddp_->exposed_s();
    return cost;
  }

  uint64_t Fingerprint() override {
    uint64_t print = 1469598103934665603u;  // FNV-1a, by words
    for (const auto& [name, parameter] : ddp_->parameters()) {
      const at::Tensor gradient = parameter.grad().contiguous();
      const auto* words = reinterpret_cast<const uint32_t*>(gradient.const_data_ptr<float>());
      for (int64_t i = 0; i < gradient.numel(); ++i) print = (print ^ words[i]) * 1099511628211u;
    }
    return print;
  }

 private:
  const std::vector<Gradients>& batches_;
  std::unique_ptr<DistributedDataParallel<Shapes>> ddp_;
  size_t step_ = 0;
};

ExchangeTimes Time(const ExchangeOptions& options, const std::vector<VariantSpec>& specs, const RankEnv& env) {
  World world = JoinWorld(env, options.timeout_s);
  const std::vector<Gradients> batches = MakeBatches(options, env.rank);
  std::vector<std::unique_ptr<Variant>> variants;
  for (size_t i = 0; i < specs.size(); ++i)
    variants.push_back(std::make_unique<DdpVariant>(world, specs[i], "bench/" + std::to_string(i), batches));
  const ExchangeTimes times =
      TimeExchanges(*world.metrics_collective, specs, variants, options, FindLocalAddress(env).interface);
  variants.clear();
  Leave(world);
  return times;
}

/// Nothing that is left after a failure would be of use, and the others wait to see this process end.
template <typename Work>
auto OrEnd(const RankEnv& env, const Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    std::cerr << "rank " + std::to_string(env.rank) + ": error: " + Printable(error.what()) + "\n" << std::flush;
    const auto* peer = dynamic_cast<const PeerError*>(&error);
    LeaveAfterFailure(peer != nullptr ? peer->rank() : -1);
    std::_Exit(1);
  }
}

ModelShapes ReadPt(const std::string& path) try {
  ModelShapes shapes;
  size_t bytes = 0, numel = 0;
  for (const auto& [name, tensor] : ReadStateDict(path)) {
    if (!tensor.is_floating_point() || tensor.numel() == 0) continue;
    shapes.parameters.push_back({name, tensor.sizes().vec()});
    bytes += tensor.nbytes(), numel += static_cast<size_t>(tensor.numel());
  }
  if (numel == 0) throw Error("it has no floating tensor");
  shapes.bytes_an_element = bytes / numel;
  return shapes;
} catch (const Error& error) {
  throw ConfigError("bench advise: --model " + path + ": " + error.what() +
                    "; or resnet18, a number of elements, or a .safetensors file");
}

}  // namespace

ExchangeDoor DdpDoor(int argc, const char* const* argv) {
  ExchangeDoor door;
  door.serve_store = [](int& port) {
    auto store = std::make_shared<StoreServer>();
    port = store->port();
    return store;
  };
  door.be_rank = [](const ExchangeOptions& options, const std::vector<VariantSpec>& specs, const RankEnv& env) {
    return OrEnd(env, [&] { return Time(options, specs, env); });
  };
  door.with_ranks = [](double timeout_s, const RankEnv& env, const std::function<void(Collective&)>& work) {
    OrEnd(env, [&] {
      const World world = JoinWorld(env, timeout_s);
      work(*world.metrics_collective);
      Leave(world);
    });
  };
  door.read_pt = ReadPt;
  door.arguments.assign(argv, argv + argc);
  return door;
}

}  // namespace gradwire::train
