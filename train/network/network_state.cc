// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "train/network/buffers_stay.h"
#include "train/network/network.h"

namespace gradwire::train {
namespace {

constexpr const char *kParameter = "parameter/", *kBuffer = "buffer/", *kMomentum = "momentum/";

void Put(Snapshot& file, const std::string& name, const at::Tensor& tensor) {
  const at::Tensor rows = tensor.detach().contiguous();
  file.PutBytes(name, {static_cast<const std::byte*>(rows.const_data_ptr()), rows.nbytes()});
}

void Get(const Snapshot& file, const std::string& name, const at::Tensor& tensor) {
  const at::Tensor rows = at::empty(tensor.sizes(), tensor.options().memory_format(at::MemoryFormat::Contiguous));
  file.Fill(name, std::span(static_cast<std::byte*>(rows.mutable_data_ptr()), rows.nbytes()));
  tensor.detach().copy_(rows);
}

}  // namespace

void Network::Save(Snapshot& file) const {
  for (const auto& item : model_->named_parameters()) Put(file, kParameter + item.key(), item.value());
  for (const auto& item : model_->named_buffers()) Put(file, kBuffer + item.key(), item.value());
  for (const auto& item : model_->named_parameters()) {
    const auto state = optimizer_->state().find(item.value().unsafeGetTensorImpl());
    if (state == optimizer_->state().end()) continue;
    const at::Tensor& momentum = static_cast<torch::optim::SGDParamState&>(*state->second).momentum_buffer();
    if (momentum.defined()) Put(file, kMomentum + item.key(), momentum);
  }
}

void Network::Load(const Snapshot& file) {
  for (const auto& item : model_->named_parameters()) Get(file, kParameter + item.key(), item.value());
  for (const auto& item : model_->named_buffers()) Get(file, kBuffer + item.key(), item.value());
  optimizer_->state().clear();
  for (const auto& item : model_->named_parameters()) {
    if (!file.Has(kMomentum + item.key())) continue;
    const at::Tensor momentum = at::empty_like(item.value().detach());
    Get(file, kMomentum + item.key(), momentum);
    auto state = std::make_unique<torch::optim::SGDParamState>();
    state->momentum_buffer(momentum);
    optimizer_->state()[item.value().unsafeGetTensorImpl()] = std::move(state);
  }
}

void Network::SettleBuckets() {
  const BuffersStay buffers(*model_);
  const Tally tally = tally_;
  KeepSink<float> nowhere;
  Gradient({0}, nowhere);
  tally_ = tally;
}

}  // namespace gradwire::train
