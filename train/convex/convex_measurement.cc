// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_measurement.h"

#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "train/convex/convex_point.h"

namespace gradwire::train {
namespace {

constexpr const char* kProblem = "problem";

bool Fit(const ProblemLabel& a, const ProblemLabel& b) {
  return a.dimension == b.dimension && a.samples == b.samples &&
         std::abs(a.value - b.value) <= 1e-9 * std::abs(a.value);  // other machines round otherwise
}

ProblemLabel LabelOf(const Problem& problem) {
  std::vector<double> x = problem.start;
  for (size_t j = 0; j < x.size(); ++j) x[j] += 1 / static_cast<double>(j + 1);
  ProblemLabel label{problem.workers.size(), problem.dimension(), 0, problem.Value(x)};
  for (const auto& worker : problem.workers) label.samples += worker->samples();
  return label;
}

void CheckProblem(const Config& config, const Save& save, const Problem& problem) {
  const auto saved = save.files[0].Value<ProblemLabel>(kProblem), mine = LabelOf(problem);
  if (saved.workers != mine.workers)
    throw ErrorAt(config, "run.nproc",
                  fmt::format("found {} workers, expected {}, as in {}", mine.workers, saved.workers, save.folder));
  if (!Fit(saved, mine))
    throw ErrorAt(
        config, "objective.data",
        fmt::format("{} was saved of another problem, with {} unknowns and {} samples, value {:.17g}; this one "
                    "has {}, {} and {:.17g}",
                    save.folder, saved.dimension, saved.samples, saved.value, mine.dimension, mine.samples,
                    mine.value));
}

}  // namespace

std::optional<Record> ConvexMeasurement::Begin(const RunPosition& at) {
  if (at.step > 0) return std::nullopt;
  return Interval(at);
}

Record ConvexMeasurement::Interval(const RunPosition& at) { return IntervalOf(Measure(at), context_.config); }

Record ConvexMeasurement::Final(const RunPosition& at, bool finite) {
  const ConvexState state = Measure(at);
  if (is_heard_) WritePoint(context_.config.run.output_dir, driver_.agreed());
  return FinalOf(state, !finite, context_.config);
}

ConvexState ConvexMeasurement::Measure(const RunPosition& at) {
  ConvexState state;
  state.step = at.step, state.lr = at.lr;
  driver_.Describe(state);
  if (!is_heard_) return state;  // waits in its next exchange
  const Problem& problem = *context_.setup.problem;
  const std::span<const double> x = driver_.agreed();
  state.f = problem.Value(x) + context_.setup.prox.Value(x);
  state.grad_norm = GradientNorm(x);
  if (problem.minimiser) state.f_gap = state.f - problem.minimiser->value, state.dist = problem.Distance(x);
  if (!state.average.empty()) state.f_avg = problem.Value(state.average) + context_.setup.prox.Value(state.average);
  if (state.f_avg && problem.minimiser) state.f_avg_gap = *state.f_avg - problem.minimiser->value;
  return state;
}

/// The length of the step that the method would make with exact gradients, over lr.
double ConvexMeasurement::GradientNorm(std::span<const double> x) const {
  const Problem& problem = *context_.setup.problem;
  std::vector<double> gradient = problem.Gradient(x);
  if (const Prox& prox = context_.setup.prox) {
    const double lr = context_.lr > 0 ? context_.lr : 1 / problem.smoothness;  // any one is 0 at the minimum alone
    std::vector<double> next(x.begin(), x.end());
    for (size_t j = 0; j < x.size(); ++j) next[j] -= lr * gradient[j];
    prox.Apply<double>(lr, next);
    for (size_t j = 0; j < x.size(); ++j) gradient[j] = (x[j] - next[j]) / lr;
  }
  double square = 0;
  for (const double value : gradient) square += value * value;
  return std::sqrt(square);
}

void ConvexMeasurement::Save(Snapshot& file) {
  if (!label_) label_ = LabelOf(*context_.setup.problem);  // takes a pass over the data, and files may be many
  file.PutValue(kProblem, *label_);
}

void ConvexMeasurement::Check(const train::Save& save) {
  if (save.other_world)
    throw ErrorAt(context_.config, "run.nproc",
                  fmt::format("{} was saved by {} ranks; expected as many: a convex problem has a worker for each rank",
                              save.folder, save.files.size()));
  CheckProblem(context_.config, save, *context_.setup.problem);
}

}  // namespace gradwire::train
