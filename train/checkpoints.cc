// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoints.h"

#include <filesystem>

#include "gradwire/error.h"

namespace gradwire::train {

Checkpoints::Checkpoints(const Config& config, const World& world) : config_(config), world_(world), plan_(world) {
  if (!is_on()) return;
  beginning_ = ChooseBeginning(config, *world.exact);
  if (beginning_.save) own_.begin = beginning_.save->step;
  job_ = DrawJob(*world.exact);
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
  else if (world_.env.rank == 0 && !due.save && IsTime())
    plan_.Propose(0);
  return due;
}

std::string Checkpoints::Write(uint64_t step, Snapshot& file) {
  const std::string saves = SavesFolder(config_), folder = StepFolder(saves, step);
  PutLabel(file, {job_, step, world_.env.rank, world_.env.world_size, SettingsText(config_)});
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw Error(folder + ": cannot be made (" + failed.message() + "); check run.output_dir, its permissions and room");
  file.Write(RankFile(folder, world_.env.rank));
  FlushFolder(saves);
  FlushFolder(config_.run.output_dir);
  double one = 1;
  world_.exact->Finish(world_.exact->StartAllReduce(std::span<double>(&one, 1)));  // all files are there
  own_.written.insert(step);
  Prune(saves, own_, config_.checkpoint.keep_last, world_.env.rank);
  saved_at_ = Clock::now();
  return folder;
}

}  // namespace gradwire::train
