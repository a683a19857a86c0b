// SPDX-License-Identifier: Apache-2.0
#include "train/bench/exchange_report.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gradwire/method.h"
#include "train/bench/hosts.h"
#include "train/bench/kernels_report.h"
#include "train/bench/machine.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::ordered_json;
using Kind = VariantSpec::Kind;

struct Row {
  Interval step_s, exchange_s, speed_up;
  double limit_s = 0;
  Interval of_limit;
};

size_t Find(const std::vector<VariantSpec>& specs, Kind kind) {
  return static_cast<size_t>(std::ranges::find(specs, kind, &VariantSpec::kind) - specs.begin());
}

/// Bytes that a rank sends in a step by what exchanges them; of DDP's own ring by the interface's counters.
double BytesOf(const VariantTimes& times, const VariantSpec& spec) {
  return spec.kind == Kind::kGradwire ? static_cast<double>(times.cost.bytes) : times.interface_bytes;
}

double LimitOf(const ExchangeTimes& times, const VariantTimes& variant, const VariantSpec& spec) {
  const PassTimes& passes = times.passes;
  double memory = passes.update_s + passes.write_s;
  if (spec.kind == Kind::kGradwire && FindMethod(spec.comm.method).link == "raw")
    memory = passes.read_s + passes.write_s;
  if (spec.kind == Kind::kDense) memory = passes.update_s;  // the sum
  return BytesOf(variant, spec) / times.link.bytes_per_s + memory;
}

Row RowOf(const ExchangeTimes& times, const std::vector<VariantSpec>& specs, size_t i) {
  const auto exchange = [&](size_t variant) {
    std::vector<double> seconds = times.variants[variant].seconds;
    const auto& floor = times.variants[Find(specs, Kind::kFloor)].seconds;
    for (size_t round = 0; round < seconds.size(); ++round) seconds[round] -= floor[round];
    return seconds;
  };
  const std::vector<double> own = exchange(i);
  Row row;
  row.step_s = MedianInterval(times.variants[i].seconds);
  row.exchange_s = MedianInterval(own);
  row.speed_up = MedianOfRatios(exchange(Find(specs, Kind::kDense)), own);
  row.limit_s = LimitOf(times, times.variants[i], specs[i]);
  const auto of_limit = [&](double seconds) { return seconds / row.limit_s; };
  row.of_limit = {of_limit(row.exchange_s.median), of_limit(row.exchange_s.low), of_limit(row.exchange_s.high)};
  return row;
}

Interval Milliseconds(const Interval& seconds) { return {1e3 * seconds.median, 1e3 * seconds.low, 1e3 * seconds.high}; }

std::string Where(const ExchangeTimes& times, const ExchangeOptions& options) {
  if (options.rate.empty()) return times.interface == "lo" ? "over loopback" : "over " + times.interface;
  return fmt::format("over {} each way (tbf, burst {} kB)", options.rate,
                     Hosts::BurstBytes(BitsPerSecond(options.rate)) / 1024);
}

Json ToJson(const Interval& interval) {
  return {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}};
}

std::string Head(const ExchangeTimes& times, const ExchangeOptions& options) {
  return fmt::format(
      "{}, {} ranks {}; gradients of {}, {} rounds\nbetween all ranks at once {:.1f} MB/s each, latency {:.2f} ms; "
      "passes "
      "over the gradients: read {:.2f} ms, update {:.2f}, write {:.2f}\n\n",
      ThisCpu().model, options.ranks, Where(times, options), options.model, options.rounds,
      1e-6 * times.link.bytes_per_s, 1e3 * times.link.latency_s, 1e3 * times.passes.read_s, 1e3 * times.passes.update_s,
      1e3 * times.passes.write_s);
}

/// Names have so many letters at most; trailing columns may be left out.
std::string Line(size_t names, const std::vector<std::string>& cells) {
  constexpr std::array kWidths = {10, 25, 23, 8, 22, 9, 9};
  std::string line = fmt::format("{:<{}}", cells[0], names + 1);
  for (size_t i = 1; i < cells.size(); ++i)
    line += i <= kWidths.size() ? fmt::format("{:>{}}", cells[i], kWidths[i - 1]) : "  " + cells[i];
  return line + "\n";
}

/// encode, wire, decode and wait of a step.
std::string Split(const ExchangeCost& cost) {
  return fmt::format("{:.1f}, {:.1f}, {:.1f}, {}", 1e3 * cost.encode_s, 1e3 * cost.wire_s, 1e3 * cost.decode_s,
                     cost.wait_s ? fmt::format("{:.1f}", 1e3 * *cost.wait_s) : "-");
}

std::vector<std::string> CellsOf(const ExchangeTimes& times, const std::vector<VariantSpec>& specs, size_t i) {
  const VariantTimes& variant = times.variants[i];
  const Row row = RowOf(times, specs, i);
  std::vector<std::string> cells = {variant.name, fmt::format("{:.1f}", 1e3 * row.step_s.median)};
  if (specs[i].kind == Kind::kFloor) return cells;
  for (const std::string& cell :
       {TextOf(Milliseconds(row.exchange_s), 1), TextOf(row.speed_up), fmt::format("{:.1f}", 1e3 * row.limit_s),
        TextOf(row.of_limit), fmt::format("{:.3f}", 1e-6 * BytesOf(variant, specs[i])),
        fmt::format("{:.3f}", 1e-6 * variant.interface_bytes)})
    cells.push_back(cell);
  if (specs[i].kind == Kind::kGradwire) cells.push_back(Split(variant.cost));
  return cells;
}

Json VariantJson(const ExchangeTimes& times, const std::vector<VariantSpec>& specs, size_t i) {
  const VariantTimes& variant = times.variants[i];
  const Row row = RowOf(times, specs, i);
  Json json = {{"name", variant.name},
               {"steps_a_round", variant.steps},
               {"step_s", ToJson(row.step_s)},
               {"rounds_s", variant.seconds},
               {"interface_bytes", variant.interface_bytes}};
  if (specs[i].kind == Kind::kFloor) return json;
  json["exchange_s"] = ToJson(row.exchange_s), json["speed_up"] = ToJson(row.speed_up);
  json["limit_s"] = row.limit_s, json["of_limit"] = ToJson(row.of_limit);
  if (specs[i].kind == Kind::kDense) return json;
  const ExchangeCost& cost = variant.cost;
  json["bytes"] = cost.bytes;
  json["encode_s"] = cost.encode_s, json["wire_s"] = cost.wire_s, json["decode_s"] = cost.decode_s;
  if (cost.wait_s) json["wait_s"] = *cost.wait_s;
  return json;
}

}  // namespace

std::string ExchangeTable(const ExchangeTimes& times, const std::vector<VariantSpec>& specs,
                          const ExchangeOptions& options) {
  size_t names = 0;
  for (const VariantSpec& spec : specs) names = std::max(names, spec.name.size());
  std::string text = Head(times, options);
  text += Line(names, {"", "step, ms", "exchange, ms", "dense / it", "limit", "x limit", "MB sent", "by wire",
                       "encode, wire, decode, wait, ms"});
  for (size_t i = 0; i < specs.size(); ++i) text += Line(names, CellsOf(times, specs, i));
  return text +
         "exchange = step - floor; (95 %); limit = bytes / rate + passes; wire is the sum of the buckets' waits\n";
}

std::string ExchangeJson(const ExchangeTimes& times, const std::vector<VariantSpec>& specs,
                         const ExchangeOptions& options) {
  Json variants = Json::array();
  for (size_t i = 0; i < specs.size(); ++i) variants.push_back(VariantJson(times, specs, i));
  const Json json = {
      {"cpu", ThisCpu().model},
      {"model", options.model},
      {"ranks", options.ranks},
      {"interface", times.interface},
      {"rate", options.rate.empty() ? "its own" : options.rate},
      {"rounds", options.rounds},
      {"link", {{"bytes_per_s", times.link.bytes_per_s}, {"latency_s", times.link.latency_s}}},
      {"passes",
       {{"read_s", times.passes.read_s}, {"write_s", times.passes.write_s}, {"update_s", times.passes.update_s}}},
      {"variants", variants}};
  return json.dump(2) + "\n";
}

}  // namespace gradwire::train
