// SPDX-License-Identifier: Apache-2.0
#include "gradwire/ddp.h"

#include <algorithm>
#include <set>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <torch/nn/modules/embedding.h>
#include <torch/csrc/distributed/c10d/logger.hpp>

#include "c10d/torch_compat.h"
#include "c10d/torch_error.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "hooks/comm_hook.h"
#include "hooks/floor_hook.h"
#include "method/ask.h"

namespace gradwire {
namespace {

using Named = NamedTensors;

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kFirstBucket = kMiB;          // torch's kDefaultFirstBucketBytes: the first bucket leaves early
constexpr size_t kBroadcastBytes = 250 * kMiB;  // Python DDP's broadcast_bucket_size

Named TrainableParameters(const torch::nn::Module& module) {
  Named named;
  for (const auto& item : module.named_parameters())
    if (item.value().requires_grad()) named.emplace_back(item.key(), item.value());
  if (named.empty()) throw ConfigError("DistributedDataParallel: the module has no parameter that requires a gradient");
  return named;
}

std::vector<at::Tensor> Tensors(const Named& named) {
  std::vector<at::Tensor> tensors;
  for (const auto& item : named) tensors.push_back(item.second);
  return tensors;
}

/// Whether each gradient is sparse: that of an embedding which says so.
std::vector<bool> AreSparse(const torch::nn::Module& module, const Named& named) {
  std::set<const void*> sparse;
  for (const auto& part : module.modules()) {
    if (const auto* e = part->as<torch::nn::EmbeddingImpl>(); e && e->options.sparse())
      sparse.insert(e->weight.unsafeGetTensorImpl());
    if (const auto* e = part->as<torch::nn::EmbeddingBagImpl>(); e && e->options.sparse())
      sparse.insert(e->weight.unsafeGetTensorImpl());
  }
  std::vector<bool> are;
  for (const auto& item : named) are.push_back(sparse.contains(item.second.unsafeGetTensorImpl()));
  return are;
}

/// What the exchange takes: sparse gradients are the Reducer's group's.
Named WithDenseGradients(const Named& named, const std::vector<bool>& sparse) {
  Named dense;
  for (size_t i = 0; i < named.size(); ++i)
    if (!sparse[i]) dense.push_back(named[i]);
  return dense;
}

/// Refuses noise where a gradient is sparse: it is averaged as it is, without noise.
void CheckNoise(const CommConfig& comm, const Named& named, const std::vector<bool>& sparse) {
  for (size_t i = 0; i < named.size(); ++i)
    if (sparse[i] && comm.noise > 0)
      throw ConfigError("comm.noise: the gradient of " + named[i].first +
                        " is sparse, and is averaged as it is; expected a dense one, or comm.noise 0");
}

/// Rank 0's parameters and buffers to all.
void Broadcast(const torch::nn::Module& module, const c10::intrusive_ptr<c10d::ProcessGroup>& group) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> tensors = module.parameters();
  for (const at::Tensor& buffer : module.buffers()) tensors.push_back(buffer);
  for (at::Tensor& tensor : tensors) tensor = tensor.detach();
  c10d::broadcast_coalesced(group, tensors, kBroadcastBytes);
}

/// Errors of DDP's own messages do not say which rank broke them.
template <typename Messages>
void Diagnosed(const std::unique_ptr<Collective>& collective, const Messages& messages) {
  try {
    messages();
  } catch (const std::exception& error) {
    if (!collective) throw;
    throw collective->Diagnose(FirstLine(error));
  }
}

std::shared_ptr<c10d::Reducer> BuildReducer(const Named& named, const c10::intrusive_ptr<c10d::ProcessGroup>& group,
                                            const std::vector<bool>& sparse, const DdpOptions& options) {
  const std::vector<at::Tensor> tensors = Tensors(named);
  const auto cap = static_cast<int64_t>(options.comm.bucket_cap_mb * kMiB);
  const int64_t first = std::min(kFirstBucket, cap);
  auto [buckets, limits] =
      c10d::compute_bucket_assignment_by_size(tensors, {static_cast<size_t>(first), static_cast<size_t>(cap)}, sparse);
  std::reverse(buckets.begin(), buckets.end());  // the last layers' gradients are ready first
  std::unordered_map<size_t, std::string> names;
  for (size_t i = 0; i < named.size(); ++i) names.emplace(i, named[i].first);
  return MakeReducer(tensors, std::move(buckets), group, sparse, cap, first, options.find_unused_parameters,
                     std::move(names));
}

}  // namespace

struct DdpBase::Parts {
  OwnProcess process;
  std::shared_ptr<torch::nn::Module> module;
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  Named named;
  bool find_unused_parameters;
  WhenAnswer answer;
  std::unique_ptr<Collective> collective;  // Close() destroys it first: after a failure it may still write to buffers
  std::unique_ptr<Exchange<float>> exchange;
  Exchange<float>* kept_for_ever = nullptr;  // after a failure: a sum that was abandoned may still be written into it
  std::unique_ptr<ExchangeThread<float>> thread;
  std::shared_ptr<GradientRoute<float>> route;
  std::shared_ptr<c10d::Reducer> reducer;
  std::shared_ptr<c10d::Logger> logger;  // the Reducer calls it, unasked, where other parameters are unused than before
};

DdpBase::DdpBase(std::shared_ptr<torch::nn::Module> module, c10::intrusive_ptr<c10d::ProcessGroup> group,
                 std::unique_ptr<Collective> collective, const DdpOptions& options)
    : parts_(std::make_unique<Parts>()) {
  Parts& p = *parts_;
  p.named = TrainableParameters(*module);
  p.module = std::move(module);
  p.group = std::move(group);
  p.find_unused_parameters = options.find_unused_parameters;
  const std::vector<bool> sparse = AreSparse(*p.module, p.named);
  if (!options.plain) {
    CheckGiven(options.comm, options.given, "a DistributedDataParallel");
    CheckNoise(options.comm, p.named, sparse);
    const Named dense = WithDenseGradients(p.named, sparse);
    p.collective = std::move(collective);
    if (PaysIsAsked(options.comm))
      p.answer = AskWhen(*p.collective, options.comm, {DescribeParameters(dense, nullptr)});
    ExchangeParts parts = MakeParts(After(options.comm, p.answer), options.seed);
    parts.count_as = options.count_as;
    p.exchange = std::make_unique<Exchange<float>>(*p.collective, DescribeParameters(dense, nullptr), parts);
    p.thread = std::make_unique<ExchangeThread<float>>(*p.exchange);
    p.route = std::make_shared<GradientRoute<float>>(dense, *p.thread, parts.steps_inside());
  }
  Diagnosed(p.collective, [&] {
    c10d::verify_params_across_processes(p.group, Tensors(p.named), std::nullopt);
    Broadcast(*p.module, p.group);
  });
  p.reducer = BuildReducer(p.named, p.group, sparse, options);
  p.logger = std::make_shared<c10d::Logger>(p.reducer);
  p.reducer->set_logger(p.logger);
  if (options.plain && options.floor) p.reducer->register_comm_hook(MakeFloorHook());
  if (!p.route) return;
  p.route->Follow(p.reducer, [&p](const std::vector<ElementOrder>& orders) {
    p.thread->Inspect([&](Exchange<float>& exchange) { exchange.Arrange(orders); });
  });
  p.reducer->register_comm_hook(MakeCommHook(p.route));
}

DdpBase::~DdpBase() {
  Close();
  if (!parts_->process.is_here()) static_cast<void>(parts_.release());
}

void DdpBase::Close() {
  Parts& p = *parts_;
  if (!p.process.is_here()) return;
  if (p.thread) p.thread->Close();
  p.collective.reset();
  if (p.thread && p.thread->has_failed()) p.kept_for_ever = p.exchange.release();
}

void DdpBase::ZeroGrad() {
  // Undefined, not zeroed in place: a gradient that still is the bucket's view is divided by n by the Reducer, a fresh
  // one is multiplied by 1/n, which differs in the last bit. Python's zero_grad() leaves none either.
  for (auto& item : parts_->named) item.second.mutable_grad().reset();
}

void DdpBase::AverageBuffers(Collective& collective) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> buffers;
  for (const at::Tensor& buffer : parts_->module->buffers())
    if (buffer.scalar_type() == at::kFloat && buffer.numel() > 0) buffers.push_back(buffer.detach());
  if (buffers.empty()) return;
  std::vector<float> sums;
  for (const at::Tensor& buffer : buffers) {
    const at::Tensor flat = buffer.contiguous();
    sums.insert(sums.end(), flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel());
  }
  collective.Finish(collective.StartAllReduce(std::span<float>(sums)));
  const float* next = sums.data();
  for (at::Tensor& buffer : buffers) {
    buffer.copy_(at::from_blob(const_cast<float*>(next), buffer.sizes())).div_(collective.size());
    next += buffer.numel();
  }
}

const Named& DdpBase::parameters() const { return parts_->named; }

const WhenAnswer& DdpBase::answer() const { return parts_->answer; }

ExchangeThread<float>* DdpBase::exchange() { return parts_->thread.get(); }

void DdpBase::Route(const Round& round, BucketSink<float>& sink) {
  if (parts_->route) parts_->route->Restart(round, sink);
}

void DdpBase::SetLrs(std::vector<double> by_parameter) {
  if (!parts_->route) return;
  CheckRates(parts_->exchange->parameters(), by_parameter);
  parts_->route->SetRates(std::move(by_parameter));
}

double DdpBase::exposed_s() const { return parts_->route ? parts_->route->exposed_s() : 0; }

void DdpBase::BeforeForward() {
  if (!at::GradMode::is_enabled()) return;
  Diagnosed(parts_->collective, [&] { parts_->reducer->rebuild_buckets(); });
  parts_->reducer->prepare_for_forward();
}

void DdpBase::BeforeBackward(const std::vector<at::Tensor>& outputs) {
  if (!at::GradMode::is_enabled()) return;
  parts_->reducer->prepare_for_backward(parts_->find_unused_parameters ? outputs : std::vector<at::Tensor>{});
}

}  // namespace gradwire
