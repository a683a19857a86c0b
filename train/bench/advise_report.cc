// SPDX-License-Identifier: Apache-2.0
#include "train/bench/advise_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gradwire/error.h"
#include "train/bench/machine.h"

namespace gradwire::train {
namespace {

/// The one that costs least of those that pay; else, of all.
const AdvisedRow& BestOf(const std::vector<AdvisedRow>& rows) {
  if (rows.empty()) throw Error("bench advise: nothing was measured; expected an operator");
  return *std::ranges::min_element(
      rows, {}, [](const AdvisedRow& row) { return std::pair(!row.answer.pays, row.answer.compressed_s); });
}

double SpeedUp(const CostAnswer& answer) { return answer.dense_s / std::max(answer.compressed_s, 1e-9); }

double WireOf(const AdvisedRow& row) { return row.answer.compressed_s - row.answer.work_s; }

std::string Sentence(const AdvisedRow& best) {
  const CostAnswer& answer = best.answer;
  if (answer.pays)
    return fmt::format(
        "{} pays: an exchange costs {} where dense gradients cost {}, {:.1f} times as fast. What it costs in accuracy "
        "is "
        "another matter (README.md, \"When it helps\").\n",
        best.name, TimeText(answer.compressed_s), TimeText(answer.dense_s), SpeedUp(answer));
  const std::string which =
      answer.compressed_s < answer.dense_s ? "which is too little to be sure of" : "which is slower";
  return fmt::format(
      "None of them pays: dense gradients cost {}, and the fastest, {}, {}, {}. Take method none, or comm.when: pays, "
      "which stays dense.\n",
      TimeText(answer.dense_s), best.name, TimeText(answer.compressed_s), which);
}

std::string LineOf(size_t names, const std::string& name, uint64_t bytes, const std::string& encode,
                   const std::string& wire, const std::string& decode, double exchange_s, double speed_up,
                   const std::string& pays) {
  return fmt::format("{:<{}}{:>11.3f}{:>12}{:>12}{:>12}{:>14.2f}{:>12.2f}  {}\n", name, names,
                     static_cast<double>(bytes) / 1e6, encode, wire, decode, 1e3 * exchange_s, speed_up, pays);
}

std::string Ms(double seconds) { return fmt::format("{:.2f}", 1e3 * seconds); }

}  // namespace

std::string AdviceText(const std::vector<AdvisedRow>& rows, const AdviseOptions& options, const std::string& link) {
  const AdvisedRow& best = BestOf(rows);
  size_t names = 10;
  for (const AdvisedRow& row : rows) names = std::max(names, row.name.size() + 1);
  std::string text = fmt::format(
      "{}; gradients of {}, {} ranks, {} on a host{}\n{}\n\n", ThisCpu().model, options.model, options.ranks,
      options.ranks_per_host,
      options.backward_ms > 0 ? fmt::format(", beside a backward pass of {} ms", options.backward_ms) : "", link);
  text += fmt::format("{:<{}}{:>11}{:>12}{:>12}{:>12}{:>14}{:>12}\n", "", names, "MB sent", "encode, ms", "wire, ms",
                      "decode, ms", "exchange, ms", "dense / it");
  const CostAnswer& any = best.answer;
  text += LineOf(names, "dense", best.question.dense_bytes, "-", Ms(any.dense_s), "-", any.dense_s, 1, "");
  for (const AdvisedRow& row : rows)
    text +=
        LineOf(names, row.name, row.question.compressed_bytes, Ms(row.question.encode_s), Ms(WireOf(row)),
               Ms(row.question.decode_s), row.answer.compressed_s, SpeedUp(row.answer), row.answer.pays ? "pays" : "");
  return text + fmt::format("exchange = wire + {} (encode + decode)\n\n", kWorkInExchange) + Sentence(best);
}

std::string AdviceJson(const std::vector<AdvisedRow>& rows, const AdviseOptions& options, const std::string& link) {
  const AdvisedRow& best = BestOf(rows);
  const LinkCosts& costs = best.question.link;
  nlohmann::ordered_json json = {{"model", options.model},
                                 {"ranks", options.ranks},
                                 {"ranks_per_host", options.ranks_per_host},
                                 {"backward_s", best.question.backward_s},
                                 {"link", link},
                                 {"latency_s", costs.latency_s},
                                 {"bytes_per_s", costs.bytes_per_s},
                                 {"sum_latency_s", costs.sum_latency_s},
                                 {"sum_bytes_per_s", costs.sum_bytes_per_s},
                                 {"dense_bytes", best.question.dense_bytes},
                                 {"dense_s", best.answer.dense_s},
                                 {"advice", best.answer.pays ? best.name : "dense"}};
  for (const AdvisedRow& row : rows)
    json["operators"].push_back({{"name", row.name},
                                 {"bytes", row.question.compressed_bytes},
                                 {"encode_s", row.question.encode_s},
                                 {"decode_s", row.question.decode_s},
                                 {"exchange_s", row.answer.compressed_s},
                                 {"speed_up", SpeedUp(row.answer)},
                                 {"pays", row.answer.pays}});
  return json.dump(2) + "\n";
}

}  // namespace gradwire::train
