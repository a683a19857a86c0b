// SPDX-License-Identifier: Apache-2.0
#include "train/analyse/averaging_report.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::ordered_json;

/// A line of the authors' table: all-reduce, gossip, SGP, random groups, Moshpit.
struct Line {
  size_t peers;
  double failure;
  AveragingReference cells[5];
};

constexpr std::string_view kColumns[] = {"allreduce", "gossip", "push_sum", "random", "grid"};
constexpr Line kLines[] = {{512, 0, {{1.0, 1.0}, {50, 50}, {47.6, 15.6}, {6.1, 3.0}, {8.2, 3.6}}},
                           {512, 0.001, {{1.6, 1.6}, {50, 50}, {47.6, 15.6}, {6.3, 3.0}, {8.5, 3.3}}},
                           {512, 0.005, {{10.9, 10.9}, {50, 50}, {47.8, 15.6}, {6.3, 3.0}, {8.8, 3.9}}},
                           {512, 0.01, {{41.7, 41.7}, {50, 50}, {47.8, 15.6}, {6.6, 3.0}, {8.8, 3.9}}},
                           {768, 0, {{1.0, 1.0}, {50, 50}, {43.2, 13.8}, {6.2, 3.0}, {6.0, 3.0}}},
                           {768, 0.001, {{1.8, 1.8}, {50, 50}, {43.2, 13.8}, {6.5, 3.0}, {6.0, 3.0}}},
                           {768, 0.005, {{28.7, 28.7}, {50, 50}, {43.2, 14.1}, {6.6, 3.0}, {6.6, 3.0}}},
                           {768, 0.01, {{50, 50}, {50, 50}, {43.9, 14.2}, {7.0, 3.0}, {6.9, 3.0}}},
                           {900, 0, {{1.0, 1.0}, {50, 50}, {45.0, 14.7}, {6.4, 3.0}, {5.0, 2.9}}},
                           {900, 0.001, {{1.8, 1.8}, {50, 50}, {45.0, 14.7}, {6.3, 3.0}, {5.1, 2.9}}},
                           {900, 0.005, {{50, 50}, {50, 50}, {45.2, 14.7}, {6.7, 3.0}, {5.9, 3.1}}},
                           {900, 0.01, {{50, 50}, {50, 50}, {45.6, 14.9}, {7.0, 3.1}, {6.5, 3.0}}}};

std::string Rounds(const AveragingEstimate& found, size_t restarts) {
  const double error = found.deviation / std::sqrt(static_cast<double>(restarts));
  return error > 0 ? fmt::format("{:.2f} +- {:.2f}", found.mean, error) : fmt::format("{:.2f}", found.mean);
}

std::vector<std::string> Row(const AveragingOutcome& outcome) {
  const auto& [run, result] = outcome;
  const auto reference = ReferenceOf(run);
  const auto theirs = [&](double AveragingReference::*value) {
    return reference ? fmt::format("{:.1f}", *reference.*value) : std::string("-");
  };
  return {fmt::format("{}", run.peers),
          fmt::format("{:g}", run.failure),
          run.method,
          Rounds(result.fine, run.restarts),
          theirs(&AveragingReference::fine),
          Rounds(result.coarse, run.restarts),
          theirs(&AveragingReference::coarse),
          reference ? (IsNear(outcome) ? "yes" : "NO") : "-",
          fmt::format("{:.4g}", result.messages),
          fmt::format("{:.3f}", result.vectors),
          result.requests > 0 ? fmt::format("{:.4g} / {:.4g}", result.requests, result.registry_bytes) : "-"};
}

}  // namespace

std::optional<AveragingReference> ReferenceOf(const AveragingRun& run) {
  if (run.side != 32 || run.dims != 2 || run.cap != 50) return std::nullopt;
  const auto column = std::ranges::find(kColumns, run.method) - std::begin(kColumns);
  for (const Line& line : kLines)
    if (line.peers == run.peers && line.failure == run.failure && column < std::ssize(kColumns))
      return line.cells[column];
  return std::nullopt;
}

bool IsNear(const AveragingEstimate& found, double reference, size_t restarts) {
  const double error = found.deviation * std::sqrt(1 / kReferenceRestarts + 1 / static_cast<double>(restarts));
  return std::abs(found.mean - reference) <= std::max(0.1 * reference, 3 * error);
}

bool IsNear(const AveragingOutcome& outcome) {
  const auto reference = ReferenceOf(outcome.run);
  return !reference || (IsNear(outcome.result.fine, reference->fine, outcome.run.restarts) &&
                        IsNear(outcome.result.coarse, reference->coarse, outcome.run.restarts));
}

std::string AveragingText(const std::vector<AveragingOutcome>& outcomes) {
  TextRows rows = {{"peers", "p of failure", "method", "rounds to 1e-9", "authors", "rounds to 1e-4", "authors", "near",
                    "messages", "vectors", "registry: requests / bytes"}};
  for (const AveragingOutcome& outcome : outcomes) rows.push_back(Row(outcome));
  return Align(rows, 3) +
         "near: within 10 % or 3 standard errors; messages, vectors (times b d bits), registry: of a peer and a "
         "round\n";
}

std::string AveragingJson(const std::vector<AveragingOutcome>& outcomes) {
  Json all = Json::array();
  for (const auto& [run, result] : outcomes)
    all.push_back({{"method", run.method},
                   {"peers", run.peers},
                   {"failure", run.failure},
                   {"side", run.side},
                   {"dims", run.dims},
                   {"restarts", run.restarts},
                   {"cap", run.cap},
                   {"seed", run.seed},
                   {"rounds_fine", result.fine.mean},
                   {"rounds_fine_deviation", result.fine.deviation},
                   {"rounds_coarse", result.coarse.mean},
                   {"rounds_coarse_deviation", result.coarse.deviation},
                   {"messages", result.messages},
                   {"vectors", result.vectors},
                   {"registry_requests", result.requests},
                   {"registry_bytes", result.registry_bytes},
                   {"drift", result.drift},
                   {"variance", result.variance}});
  return all.dump(2) + "\n";
}

}  // namespace gradwire::train
