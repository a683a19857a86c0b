// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/progress.h"

#include "gradwire/error.h"

namespace gradwire::train {

void PutProgress(Snapshot& file, const Progress& progress, uint64_t images) {
  file.PutValue("logged step", progress.logged_step);
  file.PutValue("bytes sent", progress.bytes_sent);
  file.PutValue("logged bytes", progress.logged_bytes);
  file.PutValue("paper bits", progress.paper_bits);
  file.PutValue("logged paper bits", progress.logged_paper_bits);
  file.PutValue("wall seconds", progress.wall_s);
  file.PutValue("tally", progress.tally);
  file.PutValue("images", images);
}

Progress ProgressIn(const Save& save, int rank, uint64_t images) {
  const Snapshot& file = save.files[0];
  if (const auto saved = file.Value<uint64_t>("images"); saved != images)
    throw ConfigError(file.path() + ": was saved with " + std::to_string(saved) + " training images, this run has " +
                      std::to_string(images) + "; expected the same data set: check data.dataset and data.root");
  Progress progress{file.Value<int64_t>("logged step"),
                    file.Value<uint64_t>("bytes sent"),
                    file.Value<uint64_t>("logged bytes"),
                    file.Value<double>("wall seconds"),
                    file.Value<Tally>("tally"),
                    file.Value<uint64_t>("paper bits"),
                    file.Value<uint64_t>("logged paper bits")};
  if (!save.other_world) return progress;
  progress.tally = {};
  if (rank == 0)
    for (const Snapshot& old : save.files) progress.tally += old.Value<Tally>("tally");
  return progress;
}

}  // namespace gradwire::train
