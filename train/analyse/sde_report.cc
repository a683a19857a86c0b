// SPDX-License-Identifier: Apache-2.0
#include "train/analyse/sde_report.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::ordered_json;
using Style = PictureCurve::Style;

constexpr Quantity kQuantities[] = {Quantity::kMean, Quantity::kVariance, Quantity::kSecond, Quantity::kLoss};
constexpr size_t kPointsApart = 4;  // recorded times from one point to the next, so that lines are seen between them

std::string Allowed(const SdeCheck& check) {
  return check.relative ? fmt::format("{:g} %", 100 * check.tolerance) : fmt::format("{:.1g}", check.tolerance);
}

std::string Formula(const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "no formula"; }

/// "-" where noise is all that it says.
std::string QuotientText(const Estimate& quotient) { return quotient.error < 0.5 ? TextOf(quotient) : "-"; }

/// h_j in short: one number where all are equal.
std::string CurvatureText(const MethodSettings& settings) {
  const auto& h = settings.curvature;
  return std::ranges::count(h, h[0]) == static_cast<std::ptrdiff_t>(h.size()) ? fmt::format("{:g}", h[0])
                                                                              : fmt::format("{:g}", fmt::join(h, ", "));
}

Json ToJson(const MethodSettings& settings) {
  return {{"curvature", settings.curvature}, {"start", settings.start},           {"eta", settings.eta},
          {"sigma", settings.sigma},         {"noise", settings.noise.spec()},    {"workers", settings.workers},
          {"batch", settings.batch},         {"compressor", settings.compressor}, {"rho1", settings.rho1},
          {"rho2", settings.rho2},           {"decay", settings.decay},           {"epsilon", settings.epsilon}};
}

Json ToJson(const Estimate& estimate) { return {{"value", estimate.value}, {"error", estimate.error}}; }

Json ToJson(const Ensemble& ensemble) {
  Json json = {{"t", ensemble.times()}};
  for (const Quantity quantity : kQuantities)
    for (size_t i = 0; i < ensemble.times().size(); ++i) {
      const Estimate estimate = ensemble.At(i, quantity);
      json[NameOf(quantity)]["value"].push_back(estimate.value),
          json[NameOf(quantity)]["error"].push_back(estimate.error);
    }
  return json;
}

Json ToJson(const SdeVerdict& verdict) {
  return {{"quantity", NameOf(verdict.check.quantity)},
          {"from", verdict.check.from},
          {"paper", verdict.check.paper ? Json(*verdict.check.paper) : Json()},
          {"tolerance", verdict.check.tolerance},
          {"relative", verdict.check.relative},
          {"method", ToJson(verdict.discrete)},
          {"sde", ToJson(verdict.integrated)},
          {"quotient", ToJson(verdict.quotient)},
          {"holds", verdict.holds}};
}

PictureCurve CurveOf(const Ensemble& ensemble, const std::string& name, Style style, size_t apart,
                     std::optional<size_t> colour_of) {
  PictureCurve curve{.name = name, .x = {}, .y = {}, .style = style, .colour_of = colour_of};
  for (size_t i = 0; i < ensemble.times().size(); i += apart)
    curve.x.push_back(ensemble.times()[i]), curve.y.push_back(ensemble.At(i, Quantity::kLoss).value);
  return curve;
}

PictureCurve ClosedCurve(const SdeRun& run, const std::vector<double>& times) {
  const SdeModel& model = FindSdeModel(run.method);
  PictureCurve curve{.name = "closed form", .x = {}, .y = {}, .style = Style::kDashed};
  const auto level = ClosedForm(model, run.settings, Quantity::kLoss, std::numeric_limits<double>::infinity());
  for (const double t : times) {
    const auto value = ClosedForm(model, run.settings, Quantity::kLoss, t);
    if (!value && !level) continue;
    curve.x.push_back(t), curve.y.push_back(value ? *value : *level);
  }
  if (!ClosedForm(model, run.settings, Quantity::kLoss, times.back())) curve.name = "stationary level by closed form";
  return curve;
}

}  // namespace

std::string TextOf(const Estimate& estimate) { return fmt::format("{:.4g} +- {:.1g}", estimate.value, estimate.error); }

std::string ChecksText(const std::vector<SdeOutcome>& outcomes) {
  TextRows rows = {{"run", "check", "by", "paper", "allowed", "method", "SDE", ""}};
  for (const SdeOutcome& outcome : outcomes)
    for (const SdeVerdict& verdict : outcome.verdicts) {
      const SdeCheck& check = verdict.check;
      rows.push_back({&verdict == outcome.verdicts.data() ? outcome.experiment.name : "", NameOf(check.quantity),
                      check.from, check.paper ? fmt::format("{:.4g}", *check.paper) : "1", Allowed(check),
                      check.paper ? TextOf(verdict.discrete) : "",
                      TextOf(check.paper ? verdict.integrated : verdict.quotient), verdict.holds ? "holds" : "OFF"});
    }
  return Align(rows, 3);
}

std::string RunText(const SdeRun& run, const SdeResult& result) {
  const SdeModel& model = FindSdeModel(run.method);
  const MethodSettings& s = run.settings;
  std::string text = fmt::format("{}: {}  [{}]\n  {}\n", model.name, model.summary, model.source, model.equation);
  text += fmt::format(
      "f = sum_j h_j x_j^2 / 2, d = {}, h = {}; every x_j begins at {:g}; eta {:g}, noise {} of scale "
      "{:g}, batch {}",
      s.curvature.size(), CurvatureText(s), s.start, s.eta, s.noise.spec(), s.sigma, s.batch);
  for (const std::string_view setting : model.reads) {
    if (setting == "workers") text += fmt::format(", {} workers", s.workers);
    if (setting == "compressor") text += fmt::format(", {}", s.compressor);
    if (setting == "rho1") text += fmt::format(", beta1 {:g}", 1 - s.eta * s.rho1);
    if (setting == "rho2") text += fmt::format(", beta2 {:g}", 1 - s.eta * s.rho2);
    if (setting == "decay") text += fmt::format(", decay {:g}", s.decay);
  }
  text += fmt::format("\n{} paths to t = {:g}; the SDE by Euler and Maruyama, dt = {:g}\n\n", run.paths, run.time,
                      run.dt == 0 ? s.eta : run.dt);
  TextRows rows = {
      {fmt::format("at t = {:g}", run.time), "closed form", "stationary", "method", "SDE", "SDE / method"}};
  for (const Quantity quantity : kQuantities) {
    const Estimate discrete = result.discrete.At(result.end(), quantity),
                   integrated = result.integrated.At(result.end(), quantity);
    rows.push_back({NameOf(quantity), Formula(ClosedForm(model, s, quantity, run.time)),
                    Formula(ClosedForm(model, s, quantity, std::numeric_limits<double>::infinity())), TextOf(discrete),
                    TextOf(integrated), QuotientText(Quotient(integrated, discrete))});
  }
  return text + Align(rows);
}

Picture PictureOf(const std::vector<SdeOutcome>& outcomes) {
  Picture picture{.x_label = "t = k eta", .y_label = "E f(x)", .logarithmic = true, .curves = {}};
  for (const SdeOutcome& outcome : outcomes) {
    const size_t line = picture.curves.size();
    picture.curves.push_back(CurveOf(outcome.result.integrated,
                                     outcome.experiment.name + " (points), and its SDE (line)", Style::kLine, 1, {}));
    picture.curves.push_back(CurveOf(outcome.result.discrete, "", Style::kPoints, kPointsApart, line));
  }
  if (outcomes.size() == 1)
    picture.curves.push_back(ClosedCurve(outcomes[0].experiment.run, outcomes[0].result.discrete.times()));
  return picture;
}

std::string SdeJson(const std::vector<SdeOutcome>& outcomes) {
  Json runs = Json::array();
  for (const SdeOutcome& outcome : outcomes) {
    const SdeRun& run = outcome.experiment.run;
    Json checks = Json::array();
    for (const SdeVerdict& verdict : outcome.verdicts) checks.push_back(ToJson(verdict));
    runs.push_back({{"name", outcome.experiment.name},
                    {"model", run.method},
                    {"settings", ToJson(run.settings)},
                    {"time", run.time},
                    {"dt", run.dt == 0 ? run.settings.eta : run.dt},
                    {"paths", run.paths},
                    {"seed", run.seed},
                    {"checks", checks},
                    {"method", ToJson(outcome.result.discrete)},
                    {"sde", ToJson(outcome.result.integrated)}});
  }
  return Json{{"runs", runs}}.dump(2) + "\n";
}

}  // namespace gradwire::train
