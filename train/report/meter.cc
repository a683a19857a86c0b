// SPDX-License-Identifier: Apache-2.0
#include "train/report/meter.h"

#include <algorithm>

#include "train/report/clock.h"

namespace gradwire::train {

void Meter::Begin(int64_t step) {
  begun_step_ = logged_step_ = step;
  start_ = interval_start_ = Now();
}

void Meter::Resume(int64_t step, const Progress& progress, const Totals& now) {
  begun_step_ = step, logged_step_ = progress.logged_step;
  bytes_before_ = progress.bytes_sent - now.stats.bytes_sent(), logged_bytes_ = progress.logged_bytes;
  paper_bits_before_ = progress.paper_bits - now.stats.paper_bits;
  if (now.counts_paper) logged_paper_bits_ = progress.logged_paper_bits;
  before_ = now;
  start_ = Now() - progress.wall_s;
}

void Meter::BeginInterval() { interval_start_ = Now(); }

std::optional<uint64_t> Meter::PaperBits(const Totals& now) const {
  return now.counts_paper ? std::optional(paper_bits_before_ + now.stats.paper_bits) : std::nullopt;
}

Progress Meter::At(const Totals& now, const Tally& tally) const {
  return {logged_step_,
          bytes_before_ + now.stats.bytes_sent(),
          logged_bytes_,
          Now() - start_,
          tally,
          PaperBits(now).value_or(0),
          logged_paper_bits_.value_or(0)};
}

NetworkInterval Meter::Interval(const Step& at, const Tally& tally, const Totals& now) {
  const double wall = Now();
  NetworkInterval r;
  r.step = at.step, r.total_steps = at.total_steps, r.steps = at.step - logged_step_;
  const auto steps = static_cast<double>(r.steps);
  const auto timed = static_cast<double>(at.step - std::max(logged_step_, begun_step_));  // of them, in this process
  r.epoch = static_cast<double>(at.step) / static_cast<double>(at.per_epoch);
  r.wall_s = wall - start_;
  r.loss = tally.loss / tally.images, r.acc = tally.correct / tally.images;
  r.lr = at.lr, r.world_size = at.workers;
  r.t_step = (wall - interval_start_) / timed;
  r.imgs_per_s = tally.images / steps / r.t_step;
  r.bytes_total = bytes_before_ + now.stats.bytes_sent();
  r.bytes_sent = r.bytes_total - logged_bytes_;
  r.bits_paper = logged_paper_bits_ = PaperBits(now);
  r.dense_bytes = at.dense_bytes * static_cast<uint64_t>(r.steps);
  r.t_compute = now.compute_s ? (*now.compute_s - before_.compute_s.value_or(0)) / timed
                              : r.t_step - (now.exposed_s - before_.exposed_s) / timed;
  r.t_encode = (now.stats.encode_s - before_.stats.encode_s) / timed;
  r.t_wire = (now.stats.wire_s - before_.stats.wire_s) / timed;
  r.t_decode = (now.stats.decode_s - before_.stats.decode_s) / timed;
  r.residual_norm = now.residual_norm;
  before_ = now, logged_step_ = at.step, logged_bytes_ = r.bytes_total;
  interval_start_ = Now();
  return r;
}

NetworkEvaluation Meter::Evaluation(const Step& at, const Tally& tally) const {
  return {at.step,
          static_cast<double>(at.step) / static_cast<double>(at.per_epoch),
          tally.loss / tally.images,
          tally.correct / tally.images,
          logged_bytes_,
          Now() - start_,
          logged_paper_bits_};
}

}  // namespace gradwire::train
