// SPDX-License-Identifier: Apache-2.0
#include "train/convex_saves.h"

#include <utility>

#include <fmt/format.h>

namespace gradwire::train {
namespace {

/// Tells problems apart, such as two states of one file.
struct ProblemLabel {
  uint64_t dimension = 0, samples = 0;
  double value = 0;  ///< f at the start

  bool operator==(const ProblemLabel&) const = default;
};

ProblemLabel LabelOf(const Problem& problem) {
  ProblemLabel label{problem.dimension(), 0, problem.Value(problem.start)};
  for (const auto& worker : problem.workers) label.samples += worker->samples();
  return label;
}

}  // namespace

std::optional<Save> ConvexSaves::Begin(ConvexReport* report) {
  Beginning& beginning = checkpoints_.beginning();
  if (report)
    for (const std::string& note : beginning.notes) report->Say(note);
  std::optional<Save> save = std::exchange(beginning.save, std::nullopt);
  if (!save) return std::nullopt;
  CheckLength(config_, *save, config_.train.steps);
  if (save->other_world)
    throw ErrorAt(config_, "run.nproc",
                  fmt::format("{} was saved by {} ranks; expected as many: a convex problem has a worker for each rank",
                              save->folder, save->files.size()));
  if (const auto saved = save->files[0].Value<ProblemLabel>(kProblem); saved != LabelOf(problem_))
    throw ErrorAt(
        config_, "objective.data",
        fmt::format("{} was saved of another problem: {} unknowns, {} samples, f(x0) = {}; this one has {}, {} "
                    "and {}",
                    save->folder, saved.dimension, saved.samples, saved.value, LabelOf(problem_).dimension,
                    LabelOf(problem_).samples, LabelOf(problem_).value));
  if (report) report->Say(GoesOnText(*save));
  return save;
}

int ConvexSaves::Write(int64_t step, Snapshot& file, int signal, ConvexReport* report) {
  file.PutValue(kProblem, LabelOf(problem_));
  const std::string folder = checkpoints_.Write(static_cast<uint64_t>(step), file);
  if (report) {
    report->Say(SavedText(step, folder));
    if (signal != 0) report->Say(StoppedText(signal, step, config_.train.steps));
  }
  return signal == 0 ? 0 : 128 + signal;
}

}  // namespace gradwire::train
