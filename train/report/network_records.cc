// SPDX-License-Identifier: Apache-2.0
#include "train/report/network_records.h"

#include <algorithm>

#include <fmt/format.h>

#include "train/config/gossip_rules.h"
#include "train/config/modes.h"
#include "train/report/record_parts.h"

namespace gradwire::train {
namespace {

std::string Bytes(double n) {
  if (n >= 1e9) return fmt::format("{:.2f} GB", n / 1e9);
  if (n >= 1e6) return fmt::format("{:.2f} MB", n / 1e6);
  if (n >= 1e3) return fmt::format("{:.1f} kB", n / 1e3);
  return fmt::format("{:.0f} B", n);
}

Record RecordOf(Record::Kind kind, std::string_view name, const NetworkEvaluation& e) {
  Record record{kind,
                e.step,
                {{name, true},
                 {"step", e.step},
                 {"epoch", e.epoch},
                 {"test_loss", e.test_loss},
                 {"test_acc", e.test_acc},
                 {"bytes_total", e.bytes_total},
                 {"wall_s", e.wall_s}},
                {}};
  if (e.bits_paper) record.fields.push_back({"bits_paper", *e.bits_paper});
  if (e.spread) record.fields.push_back({"spread", *e.spread});
  return record;
}

std::string LineOf(const NetworkInterval& i) {
  return fmt::format(
      "epoch {:6.2f}  step {:5}/{}  loss {:.4f}  acc {:5.1f} %  lr {:.4g}  {:6.0f} img/s  {}/step  ratio {:.4f}",
      i.epoch, i.step, i.total_steps, i.loss, 100 * i.acc, i.lr, i.imgs_per_s,
      Bytes(static_cast<double>(i.bytes_sent) / static_cast<double>(i.steps)), i.ratio());
}

/// The times' names differ where they are of workers. `total`: times of all steps. `overlaps`: messages leave while the
/// network computes.
std::vector<std::string> TimeRows(const NetworkInterval& total, double steps, bool overlaps) {
  const bool is_async = total.stats.has_value();
  const auto ms = [&](double time) { return fmt::format("{:.2f} ms a step", 1e3 * time / steps); };
  return {TableRow("time", ms(total.t_step)),
          TableRow("  compute", ms(total.t_compute) + (is_async ? "  (of a worker, as the next two)" : "")),
          TableRow("  encode", ms(total.t_encode)),
          TableRow(is_async ? "  wait for a job" : "  wire",
                   ms(total.t_wire) + (overlaps ? "  (encode, wire and decode overlap with compute)" : "")),
          TableRow("  decode", ms(total.t_decode))};
}

/// What was sent, against float32.
std::vector<std::string> ByteRows(const NetworkInterval& total, double steps) {
  const bool is_async = total.stats.has_value();
  const auto of_a_step = [&](uint64_t bytes) {
    return Bytes(static_cast<double>(bytes) / steps) + (is_async ? "" : " a step");
  };
  const std::string ratio =
      fmt::format("{:.4f}  ({}: {})", total.ratio(), is_async ? "float32" : "dense ring", of_a_step(total.dense_bytes));
  return {TableRow(is_async ? "a gradient" : "sent by rank 0", of_a_step(total.bytes_sent)),
          TableRow("ratio to dense", total.dense_bytes ? ratio : "-  (one rank sends nothing)")};
}

}  // namespace

Record NetworkRecords::Interval(const NetworkInterval& i) {
  Record record{Record::Kind::kInterval,
                i.step,
                {{"step", i.step},
                 {"epoch", i.epoch},
                 {"wall_s", i.wall_s},
                 {"loss", i.loss},
                 {"acc", i.acc},
                 {"lr", i.lr},
                 {"imgs_per_s", i.imgs_per_s},
                 {"world_size", static_cast<int64_t>(i.world_size)},
                 {"bytes_sent", i.bytes_sent},
                 {"bytes_total", i.bytes_total},
                 {"dense_bytes", i.dense_bytes},
                 {"ratio", i.ratio()},
                 {"t_step", i.t_step},
                 {"t_compute", i.t_compute},
                 {"t_encode", i.t_encode},
                 {"t_wire", i.t_wire},
                 {"t_decode", i.t_decode},
                 {"residual_norm", i.residual_norm},
                 {"method", std::string(MethodOf(config_))},
                 {"compressor", std::string(CompressorOf(config_))},
                 {"data", data_}},
                {LineOf(i)}};
  if (i.bits_paper) record.fields.push_back({"bits_paper", *i.bits_paper});
  if (i.stats) {
    for (Field& field : StalenessFields(*i.stats)) record.fields.push_back(std::move(field));
    record.fields.push_back({"bytes_down_total", i.stats->bytes_down});
  }
  Accumulate(i);
  return record;
}

void NetworkRecords::Accumulate(const NetworkInterval& i) {
  const auto steps = static_cast<double>(i.steps);
  sum_.steps += i.steps;
  sum_.bytes_sent += i.bytes_sent;
  sum_.dense_bytes += i.dense_bytes;
  sum_.t_step += steps * i.t_step;
  sum_.t_compute += steps * i.t_compute;
  sum_.t_encode += steps * i.t_encode;
  sum_.t_wire += steps * i.t_wire;
  sum_.t_decode += steps * i.t_decode;
  sum_.world_size = i.world_size, sum_.stats = i.stats;
  images_ += i.imgs_per_s * i.t_step * steps;
}

Record NetworkRecords::Evaluation(const NetworkEvaluation& e) const {
  Record record = RecordOf(Record::Kind::kEvaluation, "eval", e);
  record.lines = {fmt::format("epoch {:6.2f}  step {:5}  test loss {:.4f}  test accuracy {:.2f} %", e.epoch, e.step,
                              e.test_loss, 100 * e.test_acc)};
  if (e.spread) record.lines[0] += fmt::format("  of {}, spread {:.4g}", EvaluatedText(config_), *e.spread);
  return record;
}

Record NetworkRecords::Final(const NetworkEvaluation& e) const {
  Record record = RecordOf(Record::Kind::kFinal, "final", e);
  record.fields.push_back({"data", data_});
  const double steps = std::max<double>(1, static_cast<double>(sum_.steps));
  std::vector<std::string>& lines = record.lines;
  const auto add = [&](const std::vector<std::string>& rows) { lines.insert(lines.end(), rows.begin(), rows.end()); };
  add({fmt::format("{} steps on {} {}, {} + {}", sum_.steps, sum_.world_size, sum_.stats ? "workers" : "ranks",
                   MethodOf(config_), CompressorOf(config_)),
       TableRow("test accuracy", fmt::format("{:.2f} %", 100 * e.test_acc)),
       TableRow("images/s", fmt::format("{:.0f}", sum_.t_step > 0 ? images_ / sum_.t_step : 0))});
  add(ByteRows(sum_, steps));
  if (sum_.stats)
    add({TableRow("models sent", Bytes(static_cast<double>(sum_.stats->bytes_down))), StalenessRow(*sum_.stats)});
  add(TimeRows(sum_, steps, !sum_.stats && !ModeOf(config_).has_neighbours));
  add({fmt::format("written: {}/{{metrics.jsonl, config.yaml, log.txt, model.pt}}", config_.run.output_dir)});
  return record;
}

}  // namespace gradwire::train
