// SPDX-License-Identifier: Apache-2.0
#include "gossip/gossip_rounds.h"

#include <fmt/format.h>

#include "compress/smooth.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "kernels/kernels.h"

namespace gradwire {

ExchangeParts GossipLinkParts(const GossipMethod& method, const CommConfig& comm, bool opens_dense, uint64_t seed) {
  CommConfig link = comm;
  link.method = method.compresses ? "ef21" : "dcgd";
  if (!method.compresses) link.compressor = "identity";
  link.topology = "allgather";
  ExchangeParts parts = MakeParts(link, seed);
  if (NeedsSmoothness(*parts.compressor))
    throw ConfigError("comm.compressor",
                      fmt::format("{}: neighbours have no smoothness matrices of each other; expected "
                                  "another operator, such as topk:1%",
                                  parts.compressor->spec()));
  parts.method = method.name;
  if (method.compresses && !opens_dense) parts.link = FindLink("damped");  // ef21 from 0
  return parts;
}

GossipRounds::GossipRounds(std::vector<GossipWorker*> workers, Neighbours& neighbours, const GossipParts& parts,
                           bool opens)
    : workers_(std::move(workers)),
      neighbours_(neighbours),
      parts_(parts),
      opens_(opens),
      mixed_(workers_.at(0)->x().size()) {}

void GossipRounds::Begin() {
  for (GossipWorker* worker : workers_) worker->Begin();
  if (!opens_) return;
  Tell(Neighbours::kModel);
  if (parts_.method->tracks) Tell(Neighbours::kDirection);
}

void GossipRounds::Step(const Round& round) {
  if (has_diverged_) return;
  if (parts_.method->mixes_sent)
    TellAndMix(round.lr);
  else
    MoveAndTell(round.lr);
  for (size_t i = 0; i < workers_.size(); ++i)
    workers_[i]->Look(round.step + 1, parts_.method->tracks ? Mixed(Neighbours::kDirection, i) : std::span<double>{});
  if (parts_.method->tracks) Tell(Neighbours::kDirection);
}

void GossipRounds::MoveAndTell(double lr) {
  for (size_t i = 0; i < workers_.size(); ++i) workers_[i]->Move(Mixed(Neighbours::kModel, i), lr);
  Tell(Neighbours::kModel);
}

void GossipRounds::TellAndMix(double lr) {
  for (GossipWorker* worker : workers_) worker->Move({}, lr);
  Tell(Neighbours::kModel);
  for (size_t i = 0; i < workers_.size(); ++i) workers_[i]->Mix(Mixed(Neighbours::kModel, i));
}

void GossipRounds::Tell(Neighbours::Vector vector) {
  std::vector<std::span<const double>> values;
  for (const GossipWorker* worker : workers_)
    values.push_back(vector == Neighbours::kModel ? worker->x() : worker->v());
  for (size_t i = 0; i < values.size(); ++i) {
    if (kernels::AllFinite(values[i])) continue;
    if (!neighbours_.has_all())
      throw Error(fmt::format("worker {}: its model is not finite; a smaller optimizer.lr or gossip.gamma may help",
                              neighbours_.own()[i]));
    has_diverged_ = true;
  }
  if (has_diverged_) return;
  neighbours_.Tell(vector, values);
}

std::span<const double> GossipRounds::Mixed(Neighbours::Vector vector, size_t place) {
  neighbours_.Mix(vector, place, parts_.gamma, mixed_);
  return mixed_;
}

Spread GossipRounds::Measure() const {
  std::vector<std::span<const double>> models;
  for (const GossipWorker* worker : workers_) models.push_back(worker->model());
  return SpreadOf(models, [&](std::span<double> values) { neighbours_.Sum(values); });
}

}  // namespace gradwire
