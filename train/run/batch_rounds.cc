// SPDX-License-Identifier: Apache-2.0
#include "train/run/batch_rounds.h"

#include <algorithm>

#include "gradwire/method.h"

namespace gradwire::train {
namespace {

constexpr const char* kPrevious = "previous point";

std::vector<std::span<const float>> Parts(const std::vector<float>& whole, const std::vector<Parameter>& parameters) {
  std::vector<std::span<const float>> parts;
  size_t at = 0;
  for (const Parameter& parameter : parameters) {
    parts.push_back(std::span(whole).subspan(at, parameter.numel()));
    at += parameter.numel();
  }
  return parts;
}

}  // namespace

BatchRounds::BatchRounds(const NetworkContext& context, ExchangeThread<float>& exchange)
    : context_(context), exchange_(exchange), two_points_(FindMethod(context.config.comm.method).needs_two_points()) {}

void BatchRounds::Gradient(const Round& round, BucketSink<float>& sink) {
  context_.SetBatch(static_cast<int64_t>(round.draw()));
  if (two_points_ && round.step >= static_cast<uint64_t>(context_.config.comm.start_iter)) TellPrevious(round);
  context_.network.Gradient(round, sink);
}

/// A dense round needs no gradient of the round before.
void BatchRounds::TellPrevious(const Round& round) {
  bool dense = false;
  exchange_.Inspect([&](Exchange<float>& exchange) { dense = exchange.IsDense(round.step); });
  if (!dense && !previous_.empty()) {
    const std::vector<at::Tensor> gradients = context_.network.GradientAt(Parts(previous_, parameters()));
    exchange_.Inspect([&](Exchange<float>& exchange) {
      for (uint32_t p = 0; p < gradients.size(); ++p)
        exchange.SetPrevious(p, {gradients[p].const_data_ptr<float>(), static_cast<size_t>(gradients[p].numel())});
    });
  }
  previous_.clear();
  for (const std::span<float> x : context_.network.parameter_values())
    previous_.insert(previous_.end(), x.begin(), x.end());
}

void BatchRounds::Save(Snapshot& file) const {
  if (two_points_) file.Put(kPrevious, std::span<const float>(previous_));
}

void BatchRounds::Load(const Snapshot& file) {
  if (!two_points_) return;
  previous_.resize(file.Bytes(kPrevious).size() / sizeof(float));
  file.Fill(kPrevious, std::span<float>(previous_));
}

}  // namespace gradwire::train
