// SPDX-License-Identifier: Apache-2.0
#include "train/analyse/scale_report.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "train/analyse/sde_report.h"
#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::ordered_json;
using Style = PictureCurve::Style;

/// "workers 4 -> 10.4 (x 2.6), a whole number: 11". A worker more than asked for lowers the level.
std::string CountText(std::string_view name, double now, double factor) {
  const double then = now * factor, whole = std::max(1.0, std::ceil(then * (1 - 1e-12)));
  std::string text = fmt::format("{} {:g} -> {:.4g} (x {:.4g})", name, now, then, factor);
  if (then < 1) return text + ", which is less than one";
  return std::abs(then - whole) > 1e-9 * whole ? text + fmt::format(", rounded up {:g}", whole) : text;
}

std::string BetaText(std::string_view name, double beta, double factor) {
  const double then = 1 - (1 - beta) * factor;
  const std::string text = fmt::format("{} {:g} -> {:.6g} (1 - {} x {:.4g})", name, beta, then, name, factor);
  return then < 0 ? text + ", which is none" : text;
}

std::string StepText(const ScaleStep& step, const ScalePoint& point) {
  if (step.setting == "workers") return CountText("workers", point.workers, step.factor);
  if (step.setting == "batch") return CountText("batch", point.batch, step.factor);
  if (step.setting == "1 - beta1") return BetaText("beta1", point.beta1, step.factor);
  if (step.setting == "1 - beta2") return BetaText("beta2", point.beta2, step.factor);
  const double now = step.setting == "eta" ? point.eta : point.decay;
  return fmt::format("{} {:g} -> {:.4g} (x {:.4g})", step.setting, now, now * step.factor, step.factor);
}

std::string RemedyText(const ScaleRemedy& remedy, const ScalePoint& point,
                       const std::vector<std::string_view>& settings) {
  std::vector<std::string> steps;
  for (const ScaleStep& step : remedy)
    if (std::ranges::count(settings, step.setting) > 0 && std::abs(step.factor - 1) > 1e-12)
      steps.push_back(StepText(step, point));
  return fmt::format("{}", fmt::join(steps, ", "));
}

}  // namespace

std::string RuleText(const ScalingRule& rule, const ScaleChange& change, const ScalePoint& point,
                     const std::vector<std::string_view>& settings, const std::vector<std::string_view>& changed) {
  std::vector<ScaleRemedy> remedies = rule.remedies(change), others;
  std::ranges::copy_if(remedies, std::back_inserter(others), [&](const ScaleRemedy& remedy) {
    return std::ranges::count(changed, remedy[0].setting) == 0 && std::ranges::count(settings, remedy[0].setting) > 0;
  });
  if (!others.empty()) remedies = std::move(others);
  std::string text = fmt::format("to keep {}:\n  {}  [{}]\n", rule.keeps, rule.formula, rule.source);
  size_t ways = 0;
  for (const ScaleRemedy& remedy : remedies)
    if (const std::string way = RemedyText(remedy, point, settings); !way.empty())
      text += fmt::format("  {:<3} {}\n", ways++ == 0 ? "" : "or", way);
  return ways == 0 ? text + "      nothing: it stays as it is\n" : text;
}

std::string LevelsText(const std::vector<ScaleOutcome>& outcomes) {
  TextRows rows = {{"method", "change", "by formula", "allowed", "simulated", "over the first", "a rule keeps it", ""}};
  for (const ScaleOutcome& outcome : outcomes) {
    const ScaleLevel& level = outcome.level;
    const bool opens = rows.size() == 1 || outcomes[rows.size() - 2].level.group != level.group;
    rows.push_back({opens ? level.group : "", level.name, fmt::format("{:.4g}", level.exact),
                    fmt::format("{:g} %", 100 * level.tolerance), TextOf(outcome.found),
                    fmt::format("{:.3f}", outcome.of_first.value), level.keeps ? "yes" : "no",
                    outcome.holds ? "holds" : "OFF"});
  }
  return Align(rows, 2);
}

Picture PictureOf(const std::vector<ScaleOutcome>& outcomes) {
  Picture picture{.x_label = "omega of rand-k, k = 10, 5, 2, 1 of 10 elements",
                  .y_label = "stationary E||x||^2 of DCSGD",
                  .logarithmic = true,
                  .curves = {}};
  std::vector<std::string> scaled;
  for (const ScaleOutcome& outcome : outcomes)
    if (!outcome.level.scaled.empty() && std::ranges::count(scaled, outcome.level.scaled) == 0)
      scaled.push_back(outcome.level.scaled);
  for (const std::string& what : scaled) {
    PictureCurve line{.name = what, .x = {}, .y = {}}, points = {.name = "", .x = {}, .y = {}, .style = Style::kPoints};
    points.colour_of = picture.curves.size();
    for (const ScaleOutcome& outcome : outcomes) {
      const ScaleLevel& level = outcome.level;
      const bool is_start = level.scaled.empty() && level.group == outcomes[0].level.group;
      if (level.scaled != what && !is_start) continue;
      line.x.push_back(level.omega), line.y.push_back(level.exact);
      points.x.push_back(level.omega), points.y.push_back(outcome.found.value);
    }
    picture.curves.push_back(line), picture.curves.push_back(points);
  }
  return picture;
}

std::string LevelsJson(const std::vector<ScaleOutcome>& outcomes) {
  Json levels = Json::array();
  for (const ScaleOutcome& outcome : outcomes)
    levels.push_back({{"method", outcome.level.method},
                      {"change", outcome.level.name},
                      {"eta", outcome.level.settings.eta},
                      {"workers", outcome.level.settings.workers},
                      {"batch", outcome.level.settings.batch},
                      {"compressor", outcome.level.settings.compressor},
                      {"decay", outcome.level.settings.decay},
                      {"quantity", NameOf(outcome.level.quantity)},
                      {"exact", outcome.level.exact},
                      {"tolerance", outcome.level.tolerance},
                      {"simulated", outcome.found.value},
                      {"error", outcome.found.error},
                      {"over_the_first", outcome.of_first.value},
                      {"a_rule_keeps_it", outcome.level.keeps},
                      {"holds", outcome.holds}});
  return Json{{"levels", levels}}.dump(2) + "\n";
}

}  // namespace gradwire::train
