// SPDX-License-Identifier: Apache-2.0
// One rank of the tests in processes_test.py: `gradwire_ddp_worker MODE`, in torchrun's environment. Ends with 0 where
// the law holds on this rank, otherwise says on stderr what does not.
#include <cmath>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/embedding.h>
#include <torch/utils.h>

#include "exchange/saved_memory.h"
#include "gradwire/ddp.h"
#include "gradwire/error.h"
#include "support/socket_bytes.h"
#include "train/join/world.h"
#include "train/models/resnet.h"

namespace gradwire {
namespace {

using train::ImageModel;
using train::World;
using Ddp = DistributedDataParallel<ImageModel>;

constexpr int64_t kBatch = 4;

void Require(bool holds, const std::string& law) {
  if (!holds) throw Error(law);
}

/// A small network whose gradient needs several buckets, connected as `options` says.
std::unique_ptr<Ddp> Connect(const World& world, const std::string& name, DdpOptions options) {
  torch::manual_seed(7 + world.env.rank);  // ranks differ until DDP makes them equal
  options.comm.bucket_cap_mb = 0.1;
  auto collective = options.plain ? nullptr : MakeC10dCollective(world.membership, "test/" + name);
  return std::make_unique<Ddp>(train::MakeResNet("resnet8", 10), MakeGlooGroup(world.membership, "group/" + name),
                               std::move(collective), options);
}

DdpOptions Options(const char* method, const char* compressor) {
  DdpOptions options;
  options.comm.method = method;
  options.comm.compressor = compressor;
  options.seed = 3;
  return options;
}

/// One step of plain SGD on this rank's images of that step.
void TrainStep(Ddp& ddp, const World& world, int step) {
  torch::manual_seed(1000 * step + world.env.rank);
  const at::Tensor images = torch::randn({kBatch, 3, 32, 32});
  const at::Tensor labels = torch::randint(10, {kBatch}, torch::kInt64);
  ddp.ZeroGrad();
  torch::nn::functional::cross_entropy(ddp(images), labels).backward();
  const torch::NoGradGuard no_grad;
  for (auto& item : ddp.parameters()) at::Tensor(item.second).sub_(item.second.grad(), 0.05);
}

/// Identity over our hook gives the bits that DDP gives by itself.
void CheckIdentity(const World& world) {
  DdpOptions plain;
  plain.plain = true;
  const auto reference = Connect(world, "plain", plain);
  const auto ours = Connect(world, "identity", Options("none", "identity"));
  for (int step = 0; step < 6; ++step) {
    TrainStep(*reference, world, step);
    TrainStep(*ours, world, step);
    for (size_t i = 0; i < ours->parameters().size(); ++i) {
      const auto& [name, tensor] = ours->parameters()[i];
      const at::Tensor& wanted = reference->parameters()[i].second;
      Require(std::memcmp(tensor.const_data_ptr(), wanted.const_data_ptr(), tensor.nbytes()) == 0,
              "step " + std::to_string(step) + ": " + name + " differs from plain DDP's");
    }
  }
}

/// Notes what each rank put in and what came out, per parameter, on the way to the exchange.
class Ledger : public BucketSink<float> {
 public:
  Ledger(BucketSink<float>& next, size_t parameters) : next_(next), in(parameters), out(parameters) {}

  void Push(const Round& round, const Bucket<float>& bucket, std::function<void(std::exception_ptr)> done) override {
    Add(bucket, in);
    layouts[bucket.index].insert(bucket.segments[0].parameter);
    next_.Push(round, bucket, [this, bucket, done](std::exception_ptr failure) {
      Add(bucket, out);
      done(failure);
    });
  }

  std::map<uint32_t, std::set<uint32_t>> layouts;  // the first parameters that a bucket index has had

 private:
  void Add(const Bucket<float>& bucket, std::vector<std::vector<double>>& total) {
    for (const Segment& segment : bucket.segments) {
      auto& sum = total[segment.parameter];
      sum.resize(segment.numel);
      for (size_t i = 0; i < segment.numel; ++i) sum[i] += bucket.values[segment.offset + i];
    }
  }

  BucketSink<float>& next_;

 public:
  std::vector<std::vector<double>> in, out;
};

std::vector<double> SumOverRanks(const World& world, const std::vector<double>& mine) {
  at::Tensor tensor = torch::empty({static_cast<int64_t>(mine.size())}, torch::kFloat64);
  std::memcpy(tensor.mutable_data_ptr(), mine.data(), mine.size() * sizeof(double));
  std::vector<at::Tensor> tensors{tensor};
  world.group->allreduce(tensors)->wait();
  return {tensor.const_data_ptr<double>(), tensor.const_data_ptr<double>() + mine.size()};
}

/// sum of gradients = n x sum of results + sum of residuals, per element, through DDP's rebuild of the buckets.
void CheckConservation(const World& world, const char* compressor) {
  const auto ddp = Connect(world, std::string("conserve/") + compressor, Options("ef", compressor));
  Ledger ledger(*ddp->exchange(), ddp->parameters().size());
  for (int step = 0; step < 5; ++step) {
    ddp->Route(static_cast<uint64_t>(step), ledger);
    TrainStep(*ddp, world, step);
  }
  Require(ledger.layouts[0].size() > 1, "the buckets were not rebuilt: the test shows nothing");
  std::vector<std::vector<double>> residual;
  ddp->exchange()->Inspect([&](Exchange<float>& exchange) {
    for (uint32_t i = 0; i < ledger.in.size(); ++i) {
      const auto e = exchange.state().Vector(i, "e");
      residual.emplace_back(e.begin(), e.end());
    }
  });
  double kept = 0;
  for (size_t i = 0; i < ledger.in.size(); ++i) {
    const auto given = SumOverRanks(world, ledger.in[i]), left = SumOverRanks(world, residual[i]);
    for (size_t j = 0; j < given.size(); ++j) {
      const double got = ledger.out[i][j] * world.env.world_size + left[j];
      kept += std::abs(left[j]);
      // Five steps of float sums of values up to a few units: 1e-5 is 100 roundings.
      Require(std::abs(given[j] - got) <= 1e-5 * (1 + std::abs(given[j])),
              ddp->parameters()[i].first + "[" + std::to_string(j) + "]: " + std::to_string(given[j]) + " went in, " +
                  std::to_string(got) + " came out or was kept");
    }
  }
  Require(kept > 0, "nothing was kept: the test shows nothing");
}

/// Two filters and a table of words, whose gradients are given.
class Given : public torch::nn::Module {
 public:
  explicit Given(int rank) {
    const auto generator = at::detail::createCPUGenerator(static_cast<uint64_t>(rank));
    for (const char* name : {"first", "second"}) {
      weights.push_back(register_parameter(name, torch::zeros({16, 12, 3, 3})));
      gradients.push_back(torch::randn({16, 12, 3, 3}, generator));
    }
    table = register_module("table", torch::nn::Embedding(torch::nn::EmbeddingOptions(20, 4).sparse(true)));
  }

  at::Tensor forward(double factor, const at::Tensor& words) {
    at::Tensor sum = table(words).sum();
    for (size_t i = 0; i < weights.size(); ++i) sum = sum + factor * (weights[i] * gradients[i]).sum();
    return sum;
  }

  std::vector<at::Tensor> weights, gradients;
  torch::nn::Embedding table = nullptr;
};

using GivenDdp = DistributedDataParallel<Given>;

std::unique_ptr<GivenDdp> ConnectGiven(const World& world, const std::string& name, DdpOptions options) {
  auto collective = options.plain ? nullptr : MakeC10dCollective(world.membership, "test/" + name);
  return std::make_unique<GivenDdp>(std::make_shared<Given>(world.env.rank),
                                    MakeGlooGroup(world.membership, "group/" + name), std::move(collective), options);
}

void StepGiven(GivenDdp& ddp, const World& world, int step) {
  ddp.ZeroGrad();
  ddp(std::pow(1.5, step), torch::arange(5).mul(step + 2 + world.env.rank).remainder(20)).backward();
}

void RequireSame(GivenDdp& a, GivenDdp& b, const std::string& when) {
  for (size_t i = 0; i < a.parameters().size(); ++i) {
    const auto& [name, tensor] = a.parameters()[i];
    const at::Tensor left = tensor.grad(), right = b.parameters()[i].second.grad();
    Require(left.defined() == right.defined(), when + ": " + name + " has a gradient in one of them");
    if (left.defined()) Require(left.to_dense().equal(right.to_dense()), when + ": " + name + " differs");
  }
}

/// The memory format may change before the buckets are rebuilt; memory stays with its elements.
void CheckFormat(const World& world) {
  const auto rows = ConnectGiven(world, "rows", Options("ef", "topk:5%"));
  const auto turned = ConnectGiven(world, "turned", Options("ef", "topk:5%"));
  for (int step = 0; step < 4; ++step) {
    if (step == 1) {
      at::Tensor& weight = turned->module().weights[0];
      weight.set_data(weight.data().contiguous(at::MemoryFormat::ChannelsLast));
    }
    for (const auto& ddp : {rows.get(), turned.get()}) StepGiven(*ddp, world, step);
    RequireSame(*rows, *turned, "step " + std::to_string(step));
  }
  std::vector<SavedVector<float>> saved[2];
  for (const int i : {0, 1})
    (i == 0 ? rows : turned)->exchange()->Inspect([&](Exchange<float>& exchange) { saved[i] = SaveMemory(exchange); });
  Require(saved[0].size() == 2 && saved[1].size() == 2, "there is memory of the two filters");
  for (const size_t v : {0, 1}) Require(saved[0][v].values == saved[1][v].values, "the memory differs");
}

/// Parameters may be frozen and unfrozen; identity does with them what plain DDP does.
void CheckFreezing(const World& world) {
  DdpOptions plain, ours = Options("none", "identity");
  plain.plain = true;
  plain.find_unused_parameters = ours.find_unused_parameters = true;
  const auto reference = ConnectGiven(world, "frozen/plain", plain), hooked = ConnectGiven(world, "frozen/ours", ours);
  for (int step = 0; step < 5; ++step)
    for (const auto& ddp : {reference.get(), hooked.get()}) {
      for (const int i : {0, 1})
        ddp->module().weights[static_cast<size_t>(i)].set_requires_grad(step == 3 || step % 2 == i);
      StepGiven(*ddp, world, step);
      if (ddp == hooked.get()) RequireSame(*reference, *hooked, "frozen, step " + std::to_string(step));
    }
}

/// A method with the step size inside delivers nothing before it was told one, and each parameter by its own.
void CheckRates(const World& world) {
  const auto refused = [](const char* words, const std::function<void()>& call) {
    try {
      call();
    } catch (const std::exception& error) {
      return std::string(error.what()).find(words) != std::string::npos;
    }
    return false;
  };
  const auto untold = Connect(world, "untold", Options("ec", "sign"));
  Require(refused("SetLrs", [&] { TrainStep(*untold, world, 0); }), "ec trained without a step size");
  const auto ddp = Connect(world, "rates", Options("ec", "sign"));
  std::vector<double> lrs(ddp->parameters().size(), 0.05);
  lrs[0] = -1;
  Require(refused(ddp->parameters()[0].first.c_str(), [&] { ddp->SetLrs(lrs); }), "a negative step size was taken");
  for (size_t i = 0; i < lrs.size(); ++i) lrs[i] = i % 2 == 0 ? 0 : 0.05;
  ddp->SetLrs(lrs);
  TrainStep(*ddp, world, 0);
  size_t resting = 0;
  for (size_t i = 0; i < lrs.size(); ++i) {
    const auto& [name, tensor] = ddp->parameters()[i];
    if (tensor.dim() < 2 || tensor.numel() < Options("ec", "sign").comm.min_compress_numel) continue;  // travels dense
    const bool is_zero = tensor.grad().abs().sum().item<double>() == 0;
    Require(is_zero == (lrs[i] == 0), name + ": found another result than its step size gives");
    resting += is_zero;
  }
  Require(resting > 0, "no compressed parameter rested: the test shows nothing");
}

/// What the exchange says it sent is what the sockets say they sent.
void CheckBytes(const World& world, const char* method, const char* compressor) {
  const auto ddp = Connect(world, std::string("bytes/") + compressor, Options(method, compressor));
  const auto counted = [&] {
    uint64_t bytes = 0;
    ddp->exchange()->Inspect([&](Exchange<float>& exchange) { bytes = exchange.stats().bytes_sent(); });
    return bytes;
  };
  for (int step = 0; step < 3; ++step) TrainStep(*ddp, world, step);  // the rebuild's own messages are not gradients
  const uint64_t counted_before = counted(), sockets_before = testing::SocketBytesSent();
  for (int step = 3; step < 13; ++step) TrainStep(*ddp, world, step);
  const double said = static_cast<double>(counted() - counted_before);
  const double seen = static_cast<double>(testing::SocketBytesSent() - sockets_before);
  world.group->barrier()->wait();  // a rank that goes on closes its connections, and the count of the others' with them
  std::cerr << "rank " + std::to_string(world.env.rank) + " " + compressor + ": counted " + std::to_string(said) +
                   ", sockets " + std::to_string(seen) + "\n";
  Require(
      said > 0 && std::abs(seen - said) <= 0.02 * said + 65536,
      std::string(compressor) + ": counted " + std::to_string(said) + " bytes, the sockets " + std::to_string(seen));
}

int Main(const std::string& mode) {
  const auto env = RankFromEnv();
  if (!env) throw ConfigError("RANK is not set");
  const World world = train::JoinWorld(*env, 60);
  if (mode == "identity") CheckIdentity(world);
  if (mode == "conservation") {
    for (const char* compressor : {"topk:1%", "sign", "fp16"}) CheckConservation(world, compressor);
    CheckRates(world);
  }
  if (mode == "parameters") {
    CheckFormat(world);
    CheckFreezing(world);
  }
  if (mode == "bytes") {
    CheckBytes(world, "ef", "sign");
    CheckBytes(world, "dcgd", "topk:10%");
    CheckBytes(world, "none", "identity");
  }
  train::Leave(world);
  return 0;
}

}  // namespace
}  // namespace gradwire

int main(int, char** argv) {
  try {
    return gradwire::Main(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    std::_Exit(1);
  }
}
