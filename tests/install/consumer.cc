// SPDX-License-Identifier: Apache-2.0
// A C++ program with a model and data of its own, trained by the installed package: `consumer`, in torchrun's
// environment. Prints the loss before and after, the ratio of the bytes sent to a dense ring's, and a hash of the
// weights.
#include <iostream>
#include <string_view>

#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>

#include <gradwire/c10d_init.h>
#include <gradwire/cost.h>
#include <gradwire/ddp.h>

namespace {

constexpr int kSteps = 60;
constexpr int64_t kBatch = 64;

struct Net : torch::nn::Module {
  at::Tensor forward(const at::Tensor& x) { return out(torch::relu(middle(torch::relu(in(x))))); }

  torch::nn::Linear in = register_module("in", torch::nn::Linear(8, 256));
  torch::nn::Linear middle = register_module("middle", torch::nn::Linear(256, 256));
  torch::nn::Linear out = register_module("out", torch::nn::Linear(256, 1));
};

using Ddp = gradwire::DistributedDataParallel<Net>;

/// Points that no other rank or step has, and the function to learn.
std::pair<at::Tensor, at::Tensor> Batch(int step, int rank) {
  torch::manual_seed(1000 * step + rank);
  const at::Tensor x = torch::rand({kBatch, 8}) * 2 - 1;
  return {x, (3 * x.select(1, 0)).sin() + x.select(1, 1) * x.select(1, 2)};
}

at::Tensor Loss(Ddp& ddp, int step, int rank) {
  const auto [x, y] = Batch(step, rank);
  return torch::nn::functional::mse_loss(ddp(x).squeeze(1), y);
}

double EvalLoss(Ddp& ddp) {
  const torch::NoGradGuard no_grad;
  return Loss(ddp, kSteps, 0).item<double>();
}

/// Of what this rank has sent, to what DDP's all-reduces would have sent.
double Ratio(Ddp& ddp, int world_size) {
  double ratio = 0;
  ddp.exchange()->Inspect([&](gradwire::Exchange<float>& exchange) {
    const auto dense = kSteps * gradwire::DenseRingBytes(exchange.parameters(), world_size);
    ratio = static_cast<double>(exchange.stats().bytes_sent()) / static_cast<double>(dense);
  });
  return ratio;
}

size_t HashOfWeights(Net& net) {
  size_t hash = 0;
  for (const at::Tensor& weights : net.parameters())
    hash = 31 * hash +
           std::hash<std::string_view>()({static_cast<const char*>(weights.const_data_ptr()), weights.nbytes()});
  return hash;
}

void Train() {
  const gradwire::Job job = gradwire::InitFromEnv(std::chrono::seconds(60));
  const auto [rank, size] = std::pair(job.membership.rank, job.membership.size);
  torch::manual_seed(rank);  // ranks start apart; DDP hands out rank 0's weights
  const auto net = std::make_shared<Net>();
  Ddp ddp(net, job.group, gradwire::MakeC10dCollective(job.membership, "gradients"),
          {.comm = {.method = "ef", .compressor = "topk:1%"}});
  torch::optim::SGD optimizer(net->parameters(), 0.05);
  const double before = EvalLoss(ddp);
  for (int step = 0; step < kSteps; ++step) {
    ddp.ZeroGrad();
    Loss(ddp, step, rank).backward();
    optimizer.step();
  }
  std::cout << "before " << before << " after " << EvalLoss(ddp) << " ratio " << Ratio(ddp, size) << " weights "
            << HashOfWeights(*net) << std::endl;
  ddp.Close();
  job.group->barrier()->wait();  // rank 0 serves the store, and leaves no earlier than the others
}

}  // namespace

int main() {
  try {
    Train();
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    std::_Exit(1);  // unwinding would wait for a transport that is broken
  }
}
