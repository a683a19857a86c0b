// SPDX-License-Identifier: Apache-2.0
#include "train/train_state.h"

#include <algorithm>

#include "gradwire/error.h"
#include "train/archive.h"
#include "train/memory_files.h"

namespace gradwire::train {
namespace {

constexpr const char *kAgreed = "agreed", *kOuterMomentum = "outer momentum", *kShift = "shift", *kRests = "rests",
                     *kImages = "images", *kDelayed = "delayed";

std::vector<float> Floats(const Snapshot& file, const char* name) {
  std::vector<float> values(file.Bytes(name).size() / sizeof(float));
  file.Fill(name, std::span<float>(values));
  return values;
}

/// Rank 0's of another world, with the images that all old ranks have seen since the last record.
Progress ProgressIn(const Save& save, int rank) {
  const Snapshot& file = save.files[0];
  Progress progress{file.Value<int64_t>("logged step"), file.Value<uint64_t>("bytes sent"),
                    file.Value<uint64_t>("logged bytes"), file.Value<double>("wall seconds"),
                    file.Value<Tally>("tally")};
  if (!save.other_world) return progress;
  progress.tally = {};
  for (const Snapshot& old : save.files) {
    const Tally tally = old.Value<Tally>("tally");
    if (rank != 0) break;
    progress.tally += tally;
  }
  return progress;
}

void MoveTo(Network& network, const std::vector<std::span<const float>>& model) {
  const auto point = network.Point();
  for (size_t p = 0; p < model.size(); ++p) std::ranges::copy(model[p], point[p].begin());
}

}  // namespace

Snapshot PackState(const Network& network, const Delayed<float>& delayed, const ModelRounds<float>& rounds,
                   ExchangeThread<float>& exchange, const Progress& progress, uint64_t images) {
  Snapshot file;
  network.Save(file);
  PutState(file, kDelayed, delayed);
  const auto memory = rounds.Save();
  file.Put(kAgreed, std::span<const float>(memory.agreed));
  file.Put(kOuterMomentum, std::span<const float>(memory.momentum));
  file.Put(kShift, std::span<const float>(memory.shift));
  file.PutValue(kRests, memory.rests);
  exchange.Inspect([&](Exchange<float>& inside) { PutMemory(file, inside); });
  file.PutValue("logged step", progress.logged_step);
  file.PutValue("bytes sent", progress.bytes_sent);
  file.PutValue("logged bytes", progress.logged_bytes);
  file.PutValue("wall seconds", progress.wall_s);
  file.PutValue("tally", progress.tally);
  file.PutValue(kImages, images);
  return file;
}

Progress UnpackState(const Save& save, const ExchangeParts& parts, const World& world, Network& network,
                     Delayed<float>& delayed, ModelRounds<float>& rounds, uint64_t images) {
  const Snapshot& file = save.files[0];
  const auto saved_images = file.Value<uint64_t>(kImages);
  if (saved_images != images)
    throw ConfigError(file.path() + ": was saved with " + std::to_string(saved_images) +
                      " training images, this run has " + std::to_string(images) +
                      "; expected the same data set: check data.dataset and data.root");
  network.Load(file);
  GetState(file, kDelayed, delayed);  // means over the ranks: in another world as well
  ModelRounds<float>::Memory memory{Floats(file, kAgreed), Floats(file, kOuterMomentum)};
  if (!save.other_world) memory.shift = Floats(file, kShift), memory.rests = file.Value<bool>(kRests);
  rounds.Load(std::move(memory));
  if (save.other_world) MoveTo(network, rounds.agreed());
  network.ddp().exchange()->Inspect([&](Exchange<float>& exchange) {
    const int rank = world.env.rank, size = world.env.world_size;
    LoadMemory(exchange, save.other_world ? Reshard(save.files, exchange.parameters(), parts, rank, size)
                                          : MemoryIn(file, exchange.parameters()));
  });
  return ProgressIn(save, world.env.rank);
}

}  // namespace gradwire::train
