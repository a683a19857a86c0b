// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_saves.h"

#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace gradwire::train {
namespace {

constexpr const char* kProblem = "problem";

/// Tells problems apart, such as two states of one file.
struct ProblemLabel {
  uint64_t workers = 0, dimension = 0, samples = 0;
  double value = 0;  ///< f at a point where every unknown counts

  bool Fits(const ProblemLabel& other) const {
    return dimension == other.dimension && samples == other.samples &&
           std::abs(value - other.value) <= 1e-9 * std::abs(value);  // other machines round otherwise
  }
};

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
  if (!saved.Fits(mine))
    throw ErrorAt(
        config, "objective.data",
        fmt::format("{} was saved of another problem, with {} unknowns and {} samples, value {:.17g}; this one "
                    "has {}, {} and {:.17g}",
                    save.folder, saved.dimension, saved.samples, saved.value, mine.dimension, mine.samples,
                    mine.value));
}

}  // namespace

std::optional<Save> ConvexSaves::Begin(Report& report) {
  Beginning& beginning = checkpoints_.beginning();
  for (const std::string& note : beginning.notes) report.Say(note);
  std::optional<Save> save = std::exchange(beginning.save, std::nullopt);
  if (!save) return std::nullopt;
  CheckLength(config_, *save, config_.train.steps);
  if (save->other_world)
    throw ErrorAt(config_, "run.nproc",
                  fmt::format("{} was saved by {} ranks; expected as many: a convex problem has a worker for each rank",
                              save->folder, save->files.size()));
  CheckProblem(config_, *save, problem_);
  report.Say(GoesOnText(*save));
  return save;
}

int ConvexSaves::Write(int64_t step, Snapshot& file, int signal, Report& report) {
  file.PutValue(kProblem, LabelOf(problem_));
  const std::string folder = checkpoints_.Write(static_cast<uint64_t>(step), file);
  report.Say(SavedText(step, folder));
  if (signal != 0) report.Say(StoppedText(signal, step, config_.train.steps));
  return signal == 0 ? 0 : 128 + signal;
}

}  // namespace gradwire::train
