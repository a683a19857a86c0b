// SPDX-License-Identifier: Apache-2.0
#include "exchange/joint_exchange.h"

#include <algorithm>

#include <fmt/format.h>

#include "exchange/core.h"
#include "exchange/joint_job.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

template <typename T>
void Run(const JointJob<T>& job) {
  if (job.round.step < job.channel.receivers.parts.start_iter) return DenseAllReduceHere(job);
  const Topology& topology = job.channel.topology;
  if constexpr (sizeof(T) == sizeof(float))
    topology.here_f32(job);
  else
    topology.here_f64(job);
}

template <typename T>
void CheckAlike(std::span<const Bucket<T>> buckets, size_t ranks) {
  if (buckets.size() != ranks)
    throw Error(fmt::format("exchange: {} buckets, expected one of each of {} ranks", buckets.size(), ranks));
  for (const Bucket<T>& bucket : buckets)
    if (bucket.index != buckets[0].index || bucket.values.size() != buckets[0].values.size())
      throw Error(fmt::format("exchange: bucket {} of {} elements beside bucket {} of {}", bucket.index,
                              bucket.values.size(), buckets[0].index, buckets[0].values.size()));
}

}  // namespace

template <typename T>
JointExchange<T>::JointExchange(uint32_t ranks, size_t threads, std::vector<Parameter> parameters, ExchangeParts parts)
    : ranks_(ranks), threads_(threads), stats_(ranks) {
  CheckParts(parts, parameters, /*gathers=*/false);
  if (parts.poison_undoes_step) throw Error("exchange of ranks in one process: poisoned steps are not undone");
  for (const Parameter& parameter : parameters)
    if (!parameter.order.empty())
      throw Error(
          fmt::format("exchange of ranks in one process: parameter {} has an order of its own, {}; expected "
                      "contiguous ones",
                      parameter.name, TextOf(parameter.order)));
  ThreadPool::OfProcess().Grow(threads);
  channels_[0] = std::make_unique<JointChannel<T>>(std::move(parameters), std::move(parts), ranks);
}

template <typename T>
JointExchange<T>::~JointExchange() = default;

template <typename T>
void JointExchange<T>::Open(uint32_t channel, std::vector<Parameter> parameters, ExchangeParts parts) {
  CheckParts(parts, parameters, /*gathers=*/false);
  auto opened = std::make_unique<JointChannel<T>>(std::move(parameters), std::move(parts), ranks_);
  if (!channels_.try_emplace(channel, std::move(opened)).second)
    throw Error(fmt::format("exchange: channel {} is open already", channel));
}

template <typename T>
void JointExchange<T>::Open(uint32_t channel) {
  const Channel<T>& first = In(0).receivers;
  Open(channel, first.parameters, first.parts);
}

template <typename T>
JointChannel<T>& JointExchange<T>::In(uint32_t channel) {
  const auto found = channels_.find(channel);
  if (found != channels_.end()) return *found->second;
  throw Error(fmt::format("exchange: channel {} is not open; expected one of Open, or 0", channel));
}

template <typename T>
void JointExchange<T>::Exchange(const Round& round, std::span<const Bucket<T>> buckets) {
  const std::span<const T> mean = Mean(round, buckets);
  for (const Bucket<T>& bucket : buckets) std::ranges::copy(mean, bucket.values.begin());
}

template <typename T>
std::span<const T> JointExchange<T>::Mean(const Round& round, std::span<const Bucket<T>> buckets) {
  JointChannel<T>& channel = In(round.channel);
  CheckAlike(buckets, ranks_);
  for (const Bucket<T>& bucket : buckets)
    if (bucket.fetch) bucket.fetch();
  CheckSegments(channel.receivers.parameters, buckets[0].segments, buckets[0].values.size());
  channel.receivers.BeginStep(round.step);
  mean_.resize(buckets[0].values.size());
  Run<T>({channel, stats_, lane_, threads_, round, buckets, mean_});
  return mean_;
}

template <typename T>
std::span<const T> JointExchange<T>::MeanOf(const Round& round, const MakeVector<T>& make) {
  JointChannel<T>& channel = In(round.channel);
  const ExchangeParts& parts = channel.receivers.parts;
  if (channel.receivers.parameters.size() != 1 || parts.topology != "allgather" || round.step < parts.start_iter)
    throw Error("exchange of vectors as they are made: expected a channel of one parameter, over allgather");
  mean_.resize(channel.receivers.parameters[0].numel());
  const Segment all{0, 0, mean_.size()};
  const std::vector<Bucket<T>> buckets(ranks_, {.segments = {&all, 1}, .values = mean_});
  channel.receivers.BeginStep(round.step);
  Run<T>({channel, stats_, lane_, threads_, round, buckets, mean_, &make});
  return mean_;
}

template <typename T>
StateStore<T>& JointExchange<T>::state(uint32_t channel, size_t rank) {
  return In(channel).senders.at(rank).state;
}

template <typename T>
StateStore<T>& JointExchange<T>::receivers_state(uint32_t channel) {
  return In(channel).receivers.state;
}

template <typename T>
void JointExchange<T>::ForRanks(const std::function<void(size_t)>& act) {
  ThreadPool::OfProcess().Share(ranks_, threads_, lane_, [&](size_t rank, Lane&) { act(rank); });
}

template <typename T>
void JointExchange<T>::ForgetMemory() {
  for (const auto& [number, channel] : channels_) {
    channel->receivers.ForgetMemory();
    for (Channel<T>& sender : channel->senders) sender.ForgetMemory();
  }
}

template <typename T>
void JointExchange<T>::GoOnAt(uint64_t step) {
  for (const auto& [number, channel] : channels_) channel->receivers.GoOnAt(step);
}

template class JointExchange<float>;
template class JointExchange<double>;

}  // namespace gradwire
