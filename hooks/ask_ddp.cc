// SPDX-License-Identifier: Apache-2.0
#include "hooks/ask_ddp.h"

#include <ATen/TensorOptions.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

namespace gradwire {
namespace {

/// Reading a number back waits for the device.
DenseSum SumOn(const at::Device& device, const c10::intrusive_ptr<c10d::ProcessGroup>& group) {
  return [=](std::span<float> values) {
    std::vector<at::Tensor> sums = {
        at::zeros({static_cast<int64_t>(values.size())}, at::TensorOptions(at::kFloat).device(device))};
    group->allreduce(sums)->wait();
    values[0] = sums[0].select(0, 0).item<float>();
  };
}

}  // namespace

PaysJob JobOf(const NamedTensors& named, const std::shared_ptr<c10d::Reducer>& reducer) {
  PaysJob job{DescribeParameters(named, reducer.get())};
  if (named.empty()) return job;
  const at::Tensor& first = named[0].second;
  job.bytes_an_element = first.element_size();
  if (reducer && !first.device().is_cpu()) job.sum = SumOn(first.device(), ReducerView(*reducer).group());
  return job;
}

}  // namespace gradwire
