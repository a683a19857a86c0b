// SPDX-License-Identifier: Apache-2.0
#include "train/convex_saves.h"

#include <utility>

#include <fmt/format.h>

namespace gradwire::train {

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
  if (report) report->Say(GoesOnText(*save));
  return save;
}

int ConvexSaves::Write(int64_t step, Snapshot& file, int signal, ConvexReport* report) {
  const std::string folder = checkpoints_.Write(static_cast<uint64_t>(step), file);
  if (report) {
    report->Say(SavedText(step, folder));
    if (signal != 0) report->Say(StoppedText(signal, step, config_.train.steps));
  }
  return signal == 0 ? 0 : 128 + signal;
}

}  // namespace gradwire::train
