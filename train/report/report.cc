// SPDX-License-Identifier: Apache-2.0
#include "train/report/report.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "gradwire/error.h"
#include "train/report/async_json.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::ordered_json;

std::ofstream Create(const std::filesystem::path& path, std::ios::openmode mode = std::ios::out) {
  std::ofstream file(path, mode);
  if (!file) throw Error(fmt::format("cannot write {}: check run.output_dir and its permissions", path.string()));
  return file;
}

/// The lines of metrics.jsonl up to a step, without the end of a run that was over.
std::string RecordsUpTo(const std::filesystem::path& path, int64_t step) {
  std::ifstream file(path);
  std::string kept;
  for (std::string line; std::getline(file, line);) {
    const Json record = Json::parse(line, nullptr, /*allow_exceptions=*/false);  // the last one may be torn
    if (record.is_object() && record.value("step", step + 1) <= step && !record.contains("final")) kept += line + "\n";
  }
  return kept;
}

std::string Bytes(double n) {
  if (n >= 1e9) return fmt::format("{:.2f} GB", n / 1e9);
  if (n >= 1e6) return fmt::format("{:.2f} MB", n / 1e6);
  if (n >= 1e3) return fmt::format("{:.1f} kB", n / 1e3);
  return fmt::format("{:.0f} B", n);
}

Json ToJson(const EvalRecord& r, const char* kind) {
  return {{kind, true},
          {"step", r.step},
          {"epoch", r.epoch},
          {"test_loss", r.test_loss},
          {"test_acc", r.test_acc},
          {"bytes_total", r.bytes_total},
          {"wall_s", r.wall_s}};
}

}  // namespace

Report::Report(const Config& config, std::optional<int64_t> goes_on_at)
    : directory_(config.run.output_dir),
      method_(config.comm.method),
      compressor_(config.comm.compressor),
      terminal_(isatty(STDOUT_FILENO) == 1) {
  std::error_code failed;
  std::filesystem::create_directories(directory_, failed);
  const std::filesystem::path folder(directory_);
  const std::string kept = goes_on_at ? RecordsUpTo(folder / "metrics.jsonl", *goes_on_at) : "";
  metrics_ = Create(folder / "metrics.jsonl");
  metrics_ << kept << std::flush;
  Create(folder / "config.yaml") << ToYaml(config);
  Create(folder / "log.txt", goes_on_at ? std::ios::app : std::ios::out);
  spdlog::set_default_logger(spdlog::basic_logger_mt("gradwire", (folder / "log.txt").string()));
}

Report::~Report() {
  EndLine();
  spdlog::shutdown();
}

void Report::EndLine() {
  if (line_open_) std::cout << std::endl;
  line_open_ = false;
}

void Report::Say(const std::string& text) {
  EndLine();
  std::cout << text << std::endl;
  spdlog::info("{}", text);
}

void Report::Write(const std::string& json) { metrics_ << json << std::endl; }

void Report::Progress(const std::string& line) {
  spdlog::info("{}", line);
  if (terminal_)
    std::cout << "\r\x1b[K" << line << std::flush;
  else
    std::cout << line << std::endl;
  line_open_ = terminal_;
}

void Report::Interval(const IntervalRecord& r) {
  Json json{{"step", r.step},
            {"epoch", r.epoch},
            {"wall_s", r.wall_s},
            {"loss", r.loss},
            {"acc", r.acc},
            {"lr", r.lr},
            {"imgs_per_s", r.imgs_per_s},
            {"world_size", r.world_size},
            {"bytes_sent", r.bytes_sent},
            {"bytes_total", r.bytes_total},
            {"dense_bytes", r.dense_bytes},
            {"ratio", r.ratio()},
            {"t_step", r.t_step},
            {"t_compute", r.t_compute},
            {"t_encode", r.t_encode},
            {"t_wire", r.t_wire},
            {"t_decode", r.t_decode},
            {"residual_norm", r.residual_norm},
            {"method", method_},
            {"compressor", compressor_},
            {"data", data_}};
  if (r.stats) json.update(StalenessJson(*r.stats)), json["bytes_down_total"] = r.stats->bytes_down;
  Write(json.dump());
  Progress(fmt::format(
      "epoch {:6.2f}  step {:5}/{}  loss {:.4f}  acc {:5.1f} %  lr {:.4g}  {:6.0f} img/s  {}/step  ratio {:.4f}",
      r.epoch, r.step, r.total_steps, r.loss, 100 * r.acc, r.lr, r.imgs_per_s,
      Bytes(static_cast<double>(r.bytes_sent) / static_cast<double>(r.steps)), r.ratio()));
  Accumulate(r);
}

void Report::Accumulate(const IntervalRecord& r) {
  const auto steps = static_cast<double>(r.steps);
  sum_.steps += r.steps;
  sum_.bytes_sent += r.bytes_sent;
  sum_.dense_bytes += r.dense_bytes;
  sum_.t_step += steps * r.t_step;
  sum_.t_compute += steps * r.t_compute;
  sum_.t_encode += steps * r.t_encode;
  sum_.t_wire += steps * r.t_wire;
  sum_.t_decode += steps * r.t_decode;
  sum_.world_size = r.world_size, sum_.stats = r.stats;
  images_ += r.imgs_per_s * r.t_step * steps;
}

void Report::Eval(const EvalRecord& record) {
  Write(ToJson(record, "eval").dump());
  Say(fmt::format("epoch {:6.2f}  step {:5}  test loss {:.4f}  test accuracy {:.2f} %", record.epoch, record.step,
                  record.test_loss, 100 * record.test_acc));
}

void Report::Final(const EvalRecord& record) {
  Json last = ToJson(record, "final");
  last["data"] = data_;
  Write(last.dump());
  const double steps = std::max<double>(1, static_cast<double>(sum_.steps));
  const auto row = [&](const char* name, const std::string& value) { Say(fmt::format("  {:<22}{}", name, value)); };
  const auto ms = [&](double total) { return fmt::format("{:.2f} ms a step", 1e3 * total / steps); };
  Say(fmt::format("{} steps on {} {}, {} + {}", sum_.steps, sum_.world_size, sum_.stats ? "workers" : "ranks", method_,
                  compressor_));
  row("test accuracy", fmt::format("{:.2f} %", 100 * record.test_acc));
  row("images/s", fmt::format("{:.0f}", sum_.t_step > 0 ? images_ / sum_.t_step : 0));
  const bool is_async = sum_.stats.has_value();
  row(is_async ? "a gradient" : "sent by rank 0",
      fmt::format("{}{}", Bytes(static_cast<double>(sum_.bytes_sent) / steps), is_async ? "" : " a step"));
  row("ratio to dense",
      sum_.dense_bytes ? fmt::format("{:.4f}  ({}: {}{})", sum_.ratio(), is_async ? "float32" : "dense ring",
                                     Bytes(static_cast<double>(sum_.dense_bytes) / steps), is_async ? "" : " a step")
                       : "-  (one rank sends nothing)");
  if (is_async) {
    row("models sent", Bytes(static_cast<double>(sum_.stats->bytes_down)));
    row("staleness", fmt::format("at most {}, {} jobs at once, {} gradients dropped", sum_.stats->tau_max,
                                 sum_.stats->tau_c, sum_.stats->dropped));
  }
  row("time", ms(sum_.t_step));
  row("  compute", ms(sum_.t_compute) + (is_async ? "  (of a worker, as the next two)" : ""));
  row("  encode", ms(sum_.t_encode));
  row(is_async ? "  wait for a job" : "  wire",
      ms(sum_.t_wire) + (is_async ? "" : "  (encode, wire and decode overlap with compute)"));
  row("  decode", ms(sum_.t_decode));
  Say(fmt::format("written: {}/{{metrics.jsonl, config.yaml, log.txt, model.pt}}", directory_));
}

}  // namespace gradwire::train
