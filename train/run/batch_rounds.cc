// SPDX-License-Identifier: Apache-2.0
#include "train/run/batch_rounds.h"

#include "gradwire/method.h"
#include "train/run/whole_model.h"

namespace gradwire::train {
namespace {

constexpr const char* kPrevious = "previous point";

}  // namespace

BatchRounds::BatchRounds(const NetworkContext& context, ExchangeThread<float>& exchange)
    : context_(context), exchange_(exchange), two_points_(FindMethod(context.config.comm.method).needs_two_points()) {
  if (FindMethod(context.config.comm.method).is_anchored()) anchor_.emplace(context);
}

void BatchRounds::Gradient(const Round& round, BucketSink<float>& sink) {
  if (anchor_) anchor_->Begin(round);
  context_.SetBatch(static_cast<int64_t>(round.draw()));
  if (two_points_ && round.step >= static_cast<uint64_t>(context_.config.comm.start_iter)) TellPrevious(round);
  context_.network.Gradient(round, anchor_ ? anchor_->Correcting(sink) : sink);
  if (anchor_) anchor_->End(round);
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
  previous_ = WholePoint(context_.network);
}

void BatchRounds::Save(Snapshot& file) const {
  if (two_points_) file.Put(kPrevious, std::span<const float>(previous_));
  if (anchor_) anchor_->Save(file);
}

void BatchRounds::Load(const train::Save& save) {
  if (anchor_) anchor_->Load(save);
  if (!two_points_) return;
  const Snapshot& file = save.files[0];
  previous_.resize(file.Bytes(kPrevious).size() / sizeof(float));
  file.Fill(kPrevious, std::span<float>(previous_));
}

}  // namespace gradwire::train
