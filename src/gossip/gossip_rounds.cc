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

template <typename T>
GossipRounds<T>::GossipRounds(std::vector<GossipWorker<T>*> workers, Neighbours<T>& neighbours,
                              const GossipParts& parts, bool opens)
    : workers_(std::move(workers)),
      neighbours_(neighbours),
      parts_(parts),
      opens_(opens),
      mixed_(workers_.at(0)->x().size()) {}

template <typename T>
void GossipRounds<T>::Begin() {
  for (GossipWorker<T>* worker : workers_) worker->Begin();
  if (!opens_) return;
  Tell(kGossipModel);
  if (parts_.method->tracks) Tell(kGossipDirection);
}

template <typename T>
void GossipRounds<T>::Step(const Round& round) {
  if (has_diverged_) return;
  if (parts_.method->mixes_sent)
    TellAndMix(round.lr);
  else
    MoveAndTell(round.lr);
  for (size_t i = 0; i < workers_.size(); ++i)
    workers_[i]->Look(round.step + 1, parts_.method->tracks ? Mixed(kGossipDirection, i) : std::span<const T>{});
  if (parts_.method->tracks) Tell(kGossipDirection);
}

template <typename T>
void GossipRounds<T>::MoveAndTell(double lr) {
  for (size_t i = 0; i < workers_.size(); ++i) workers_[i]->Move(Mixed(kGossipModel, i), lr);
  Tell(kGossipModel);
}

template <typename T>
void GossipRounds<T>::TellAndMix(double lr) {
  for (GossipWorker<T>* worker : workers_) worker->Move({}, lr);
  Tell(kGossipModel);
  for (size_t i = 0; i < workers_.size(); ++i) workers_[i]->Mix(Mixed(kGossipModel, i));
}

template <typename T>
void GossipRounds<T>::Tell(GossipVector vector) {
  std::vector<std::span<const T>> values;
  for (const GossipWorker<T>* worker : workers_) values.push_back(vector == kGossipModel ? worker->x() : worker->v());
  for (size_t i = 0; i < values.size(); ++i) {
    if (kernels::AllFinite<T>(values[i])) continue;
    if (!neighbours_.has_all())
      throw Error(fmt::format("worker {}: its {} is not finite; a smaller optimizer.lr or gossip.gamma may help",
                              neighbours_.own()[i], vector == kGossipModel ? "model" : "direction"));
    has_diverged_ = true;
  }
  if (has_diverged_) return;
  neighbours_.Tell(vector, values);
}

template <typename T>
std::span<const T> GossipRounds<T>::Mixed(GossipVector vector, size_t place) {
  neighbours_.Mix(vector, place, parts_.gamma, mixed_);
  return mixed_;
}

template <typename T>
Spread GossipRounds<T>::Measure() const {
  std::vector<std::span<const T>> models;
  for (const GossipWorker<T>* worker : workers_) models.push_back(worker->model());
  return SpreadOf<T>(models, [&](std::span<double> values) { neighbours_.Sum(values); });
}

template class GossipRounds<float>;
template class GossipRounds<double>;

}  // namespace gradwire
