// SPDX-License-Identifier: Apache-2.0
#include "train/network/network.h"

#include <thread>

#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/utils.h>

#include "gradwire/error.h"
#include "train/config/modes.h"
#include "train/models/weights.h"
#include "train/network/at_model.h"
#include "train/network/buffers_stay.h"

namespace gradwire::train {
namespace {

/// A filter in the layout of the images, so that its gradient has the layout of its bucket's view. A copy: contiguous()
/// would leave the strides of 1 x 1 filters, which fit both layouts.
at::Tensor InImageLayout(const at::Tensor& filter) {
  return torch::empty_like(filter, at::MemoryFormat::ChannelsLast).copy_(filter);
}

void Initialise(const Config& config, ImageModel& model) {
  try {
    LoadStateDict(model, config.model.init);
  } catch (const Error& error) {
    throw ErrorAt(config, "model.init", error.what());
  }
}

std::shared_ptr<ImageModel> BuildModel(const Config& config) {
  torch::manual_seed(config.run.seed);
  auto model = MakeResNet(config.model.name, config.model.num_classes.value());
  if (!config.model.init.empty()) Initialise(config, *model);
  for (const at::Tensor& parameter : model->parameters())
    if (parameter.dim() == 4) parameter.set_data(InImageLayout(parameter.data()));
  return model;
}

/// SGD whose weight decay differs for batch norm's parameters and the bias, the 1-D ones.
std::unique_ptr<torch::optim::SGD> BuildOptimizer(const OptimizerConfig& config, const ImageModel& model) {
  std::vector<at::Tensor> weights, one_dimensional;
  for (const at::Tensor& parameter : model.parameters())
    (parameter.dim() > 1 ? weights : one_dimensional).push_back(parameter);
  const auto options = [&](double weight_decay) {
    auto sgd = torch::optim::SGDOptions(config.lr);
    sgd.momentum(config.momentum).nesterov(config.nesterov).weight_decay(weight_decay);
    return std::make_unique<torch::optim::SGDOptions>(sgd);
  };
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::move(weights), options(config.weight_decay));
  groups.emplace_back(std::move(one_dimensional), options(config.weight_decay_bn));
  return std::make_unique<torch::optim::SGD>(std::move(groups), torch::optim::SGDOptions(config.lr));
}

/// In the order of memory: a gradient has its parameter's layout, whichever that is.
std::span<float> Elements(const at::Tensor& tensor) {
  return {tensor.mutable_data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

void Count(const at::Tensor& logits, const at::Tensor& labels, double mean_loss, Tally& tally) {
  const auto n = static_cast<double>(labels.size(0));
  tally.loss += mean_loss * n;
  tally.correct += logits.argmax(1).eq(labels).sum().item<double>();
  tally.images += n;
}

}  // namespace

Network::Network(const Config& config, const World& world, bool asks) : model_(BuildModel(config)) {
  DdpOptions options;
  options.comm = config.comm;
  if (!asks) options.comm.when = "always";
  options.seed = config.run.seed;
  options.given = kNetworkGives;
  options.count_as = FindBitRule(config.log.bits_paper);
  ddp_ = std::make_unique<DistributedDataParallel<ImageModel>>(
      model_, world.group, MakeC10dCollective(world.membership, "gradwire/0"), options);
  optimizer_ = BuildOptimizer(config.optimizer, *model_);
  if (config.train.slow_rank >= 0 && config.train.slow_rank == world.env.rank) slow_factor_ = config.train.slow_factor;
  for (const auto& [name, tensor] : ddp_->parameters()) parameters_.push_back({name, tensor.sizes().vec()});
}

void Network::SetBatch(at::Tensor images, at::Tensor labels) {
  images_ = std::move(images);
  labels_ = std::move(labels);
}

void Network::Gradient(const Round& round, BucketSink<float>& sink) {
  const auto begin = std::chrono::steady_clock::now();
  model_->train();
  ddp_->Route(round, sink);
  ddp_->ZeroGrad();
  const at::Tensor logits = (*ddp_)(images_);
  const at::Tensor loss = torch::nn::functional::cross_entropy(logits, labels_);
  loss.backward();
  last_loss_ = loss.item<double>();
  Count(logits, labels_, last_loss_, tally_);
  BeSlow(begin);
}

void Network::BeSlow(std::chrono::steady_clock::time_point begin) const {
  std::this_thread::sleep_for((slow_factor_ - 1) * (std::chrono::steady_clock::now() - begin));
}

std::vector<at::Tensor> Network::GradientAt(const std::vector<std::span<const float>>& point, Tally* seen) {
  const auto begin = std::chrono::steady_clock::now();
  const AtModel there(parameter_values(), point);
  const BuffersStay buffers(*model_);
  std::vector<at::Tensor> parameters;
  for (const auto& item : ddp_->parameters()) parameters.push_back(item.second);
  model_->train();
  const at::Tensor logits = model_->forward(images_);
  const at::Tensor loss = torch::nn::functional::cross_entropy(logits, labels_);
  if (seen != nullptr) Count(logits.detach(), labels_, loss.item<double>(), *seen);
  std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, parameters);  // leaves .grad and the Reducer alone
  for (size_t p = 0; p < parameters.size(); ++p)
    gradients[p] = torch::empty_like(parameters[p].detach()).copy_(gradients[p]);
  BeSlow(begin);
  return gradients;
}

double Network::LossAt(const std::vector<std::span<const float>>& point) {
  const torch::NoGradGuard no_grad;
  const AtModel there(parameter_values(), point);
  const BuffersStay buffers(*model_);
  model_->train();
  return torch::nn::functional::cross_entropy(model_->forward(images_), labels_).item<double>();
}

std::vector<float> PointIn(const Config& config, const std::string& file) {
  const auto model = BuildModel(config);
  try {
    LoadStateDict(*model, file);
  } catch (const Error& error) {
    throw ErrorAt(config, "analysis.reference", error.what());
  }
  std::vector<float> point;
  for (const at::Tensor& parameter : model->parameters()) {
    const std::span<float> x = Elements(parameter);
    point.insert(point.end(), x.begin(), x.end());
  }
  return point;
}

std::vector<std::span<float>> Network::parameter_values() {
  std::vector<std::span<float>> point;
  for (const auto& item : ddp_->parameters()) point.push_back(Elements(item.second));
  return point;
}

std::vector<std::span<float>> Network::gradient() {
  std::vector<std::span<float>> slope;
  for (const auto& item : ddp_->parameters()) slope.push_back(Elements(item.second.grad()));
  return slope;
}

void Network::Step(double lr) {
  for (auto& group : optimizer_->param_groups()) group.options().set_lr(lr);
  optimizer_->step();
}

void Network::AddDecay() {
  const torch::NoGradGuard no_grad;
  for (auto& group : optimizer_->param_groups()) {
    const double decay = static_cast<torch::optim::SGDOptions&>(group.options()).weight_decay();
    for (at::Tensor& parameter : group.params())
      if (decay != 0 && parameter.grad().defined()) parameter.mutable_grad().add_(parameter, decay);
  }
}

Tally Network::TakeTally() { return std::exchange(tally_, Tally{}); }

void Network::MeasureStatistics(const std::vector<at::Tensor>& batches) {
  const torch::NoGradGuard no_grad;
  std::vector<std::pair<torch::nn::BatchNorm2dImpl*, std::optional<double>>> norms;
  for (const auto& module : model_->modules(/*include_self=*/false))
    if (auto* norm = module->as<torch::nn::BatchNorm2dImpl>()) {
      norms.emplace_back(norm, norm->options.momentum());
      norm->reset_running_stats();
      norm->options.momentum(std::nullopt);  // the mean of all that comes
    }
  model_->train();
  for (const at::Tensor& images : batches) model_->forward(images);
  for (const auto& [norm, momentum] : norms) norm->options.momentum(momentum);
}

void Network::Evaluate(const at::Tensor& images, const at::Tensor& labels, Tally& tally) {
  const torch::NoGradGuard no_grad;
  model_->eval();
  const at::Tensor logits = model_->forward(images);
  Count(logits, labels, torch::nn::functional::cross_entropy(logits, labels).item<double>(), tally);
}

}  // namespace gradwire::train
