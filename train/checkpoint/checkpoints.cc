// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/checkpoints.h"

#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "train/config/settings.h"

namespace gradwire::train {

Checkpoints::Checkpoints(const Config& config, const Ranks& ranks, Notes& notes)
    : config_(config), ranks_(ranks), plan_(notes) {
  if (!is_on()) return;
  resume_point_ = ChooseResumePoint(config, ranks);
  if (resume_point_.save) own_.begin = resume_point_.save->step;
  job_ = DrawJob(ranks);
}

std::optional<int64_t> Checkpoints::OwnStep() const {
  if (!resume_point_.save || !resume_point_.save->is_own) return std::nullopt;
  return static_cast<int64_t>(resume_point_.save->step);
}

bool Checkpoints::IsTime() const {
  const std::chrono::duration<double, std::ratio<60>> passed = Clock::now() - saved_at_;
  return config_.checkpoint.every_minutes > 0 && passed.count() >= config_.checkpoint.every_minutes;
}

Checkpoints::Due Checkpoints::After(const StepEnd& end) {
  Due due;
  if (!is_on()) return due;
  if (end.is_point)
    if (const auto planned = plan_.PassPoint()) due = {true, planned->signal};
  const int64_t every = config_.checkpoint.every_epochs;
  if (every > 0 && end.epochs_ended > 0 && end.epochs_ended % every == 0) due.save = true;
  if (end.is_last) return {due.save || config_.checkpoint.saves(), 0};  // it ends anyway
  if (due.signal != 0) return due;
  if (end.signal != 0)
    plan_.Propose(end.signal);
  else if (ranks_.has_first() && !due.save && IsTime())
    plan_.Propose(0);
  return due;
}

std::string Checkpoints::Write(uint64_t step, const std::function<void(Snapshot&, size_t)>& fill) {
  const std::string saves = SavesFolder(config_), folder = StepFolder(saves, step);
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw Error(folder + ": cannot be made (" + failed.message() + "); check run.output_dir, its permissions and room");
  for (size_t place = 0; place < ranks_.own().size(); ++place) {
    const int rank = ranks_.own()[place];
    Snapshot file;
    fill(file, place);
    PutLabel(file, {job_, step, rank, ranks_.size(), SettingsText(config_)});
    file.Write(RankFile(folder, rank));
  }
  FlushFolder(saves);
  FlushFolder(config_.run.output_dir);
  ranks_.Meet();  // all files are there
  own_.written.insert(step);
  Prune(saves, own_, config_.checkpoint.keep_last, ranks_.own().front());
  ranks_.Meet();  // in local mode others may begin the next save at once, whose folder would look like a stranger's
  saved_at_ = Clock::now();
  return folder;
}

void CheckLength(const Config& config, const Save& save, int64_t steps) {
  if (static_cast<int64_t>(save.step) <= steps) return;
  throw ErrorAt(config, "checkpoint.resume",
                fmt::format("{} is of step {}, expected at most the {} steps of this run; raise train.steps{}",
                            save.folder, save.step, steps, config.objective.is_network() ? " or train.epochs" : ""));
}

std::string ResumedText(const Save& save) {
  return fmt::format("checkpoint: going on from {}, step {}{}", save.folder, save.step,
                     save.other_world ? fmt::format(", saved by {} ranks", save.files.size()) : "");
}

std::string SavedText(int64_t step, const std::string& folder) {
  return fmt::format("checkpoint: saved step {} in {}", step, folder);
}

std::string StoppedText(int signal, int64_t step, int64_t steps) {
  return fmt::format("stopped by SIG{} at step {} of {}; to go on, give the same command with checkpoint.resume=auto",
                     sigabbrev_np(signal), step, steps);
}

}  // namespace gradwire::train
