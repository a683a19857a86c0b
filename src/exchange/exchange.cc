// SPDX-License-Identifier: Apache-2.0
#include "gradwire/exchange.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <fmt/format.h>

#include "base/symmetric.h"
#include "base/text.h"
#include "base/timer.h"
#include "exchange/agree.h"
#include "exchange/core.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

constexpr uint32_t kChannels = 128;  // one byte of a save holds channel and direction

std::string Settings(const ExchangeParts& parts, const std::vector<Parameter>& parameters, Dtype dtype) {
  std::string text = fmt::format(
      "wire format: {}\nlink: {}\nits numbers: {}\ncompressor: {}\nlearner: {}\ndown: {}\ntopology: {}\n"
      "participation: {}\naggregate: {}\nvotes: {}\nprox: {} {}\npiece: {}\nmin_compress_numel: {}\n"
      "compress_1d: {}\nstart_iter: {}\nseed: {}\nzeros keep memory: {}\npoison undoes a step: {}\ndtype: float{}\n",
      Frame::kVersion, parts.link.name, parts.link.numbers(), parts.compressor->spec(),
      parts.learner ? fmt::format("{}, {}, {}", parts.learner->spec(), parts.learning.name, parts.learning.numbers())
                    : "none",
      FindTopology(parts.topology).has_owners
          ? fmt::format("{}, {}, {}", parts.down.name, parts.down_compressor->spec(), parts.down.numbers())
          : "none",
      parts.topology, parts.participation.text(), parts.aggregate.text(), parts.votes,
      static_cast<int>(parts.prox.kind), parts.prox.lambda, NameOf(parts.piece), parts.min_compress_numel,
      parts.compress_1d, parts.start_iter, parts.seed, parts.zeros_keep_memory, parts.poison_undoes_step,
      8 * SizeOf(dtype));
  for (const Parameter& parameter : parameters)
    text += fmt::format("parameter {}: {}{}\n", parameter.name, ShapeText(parameter),
                        parameter.order.empty() ? "" : ", " + TextOf(parameter.order));
  return text;
}

/// Rows of a matrix must lie one behind another, whatever their own elements do.
void CheckMatrices(const ExchangeParts& parts, const std::vector<Parameter>& parameters,
                   const std::vector<ElementOrder>& orders) {
  for (size_t p = 0; p < parameters.size(); ++p)
    if (parameters[p].symmetric && !orders[p].empty())
      throw Error(fmt::format("parameter {} is symmetric, and has no order of elements but its triangle's; found {}",
                              parameters[p].name, TextOf(orders[p])));
  if (parts.piece != PieceRule::kMatrix) return;
  for (size_t p = 0; p < parameters.size(); ++p)
    if (parameters[p].shape.size() > 1 && parameters[p].shape[0] > 1 && !orders[p].empty() && orders[p][0] != 0)
      throw ConfigError("comm.piece",
                        fmt::format("matrix: the rows of parameter {} are scattered in memory ({}); expected a "
                                    "contiguous parameter, or tensor",
                                    parameters[p].name, TextOf(orders[p])));
}

std::vector<ElementOrder> OrdersOf(const std::vector<Parameter>& parameters) {
  std::vector<ElementOrder> orders;
  for (const Parameter& parameter : parameters) orders.push_back(parameter.order);
  return orders;
}

template <typename T>
BucketExchangePtr<T> Make(const BucketJob<T>& job) {
  if (job.round.step < job.channel.parts.start_iter) return MakeDenseAllReduce(job);
  const Topology& topology = *job.core.topologies.at(job.round.channel);
  if constexpr (sizeof(T) == sizeof(float))
    return topology.make_f32(job);
  else
    return topology.make_f64(job);
}

}  // namespace

void CheckParts(const ExchangeParts& parts, const std::vector<Parameter>& parameters, bool gathers) {
  CheckSymmetric(parameters);
  CheckShapes(parts, parameters);
  CheckModelScope(parts, parameters, gathers);
  CheckMatrices(parts, parameters, OrdersOf(parameters));
}

template <typename T>
struct Exchange<T>::UnderWay {
  BucketExchangePtr<T> exchange;
  Wait wait;
};

template <typename T>
Exchange<T>::Exchange(Collective& collective, std::vector<Parameter> parameters, ExchangeParts parts)
    : core_(std::make_unique<ExchangeCore<T>>(collective)), under_way_(&core_->lane.buffers.lists()) {
  Open(0, std::move(parameters), std::move(parts));
}

template <typename T>
Exchange<T>::~Exchange() = default;

template <typename T>
void Exchange<T>::Open(uint32_t channel, std::vector<Parameter> parameters, ExchangeParts parts) {
  if (channel >= kChannels || core_->channels.contains(channel))
    throw Error(fmt::format("exchange: channel {} cannot be opened; expected one below {} that is not open", channel,
                            kChannels));
  CheckParts(parts, parameters, /*gathers=*/true);
  Collective& collective = core_->collective;
  const std::string settings = Settings(parts, parameters, kDtypeOf<T>);
  const uint64_t token = Agree(collective, channel == 0 ? settings : fmt::format("channel: {}\n{}", channel, settings));
  if (channel == 0) core_->token = token;
  const Topology& topology = FindTopology(parts.topology);
  core_->topologies[channel] = &topology;
  const int owners = OwnersIn(topology, collective.size());
  core_->channels[channel] =
      std::make_unique<Channel<T>>(std::move(parameters), std::move(parts), static_cast<uint32_t>(collective.rank()),
                                   static_cast<uint32_t>(collective.size()), owners);
}

template <typename T>
void Exchange<T>::Open(uint32_t channel) {
  Open(channel, core_->In(0).parameters, core_->In(0).parts);
}

template <typename T>
typename Exchange<T>::Id Exchange<T>::Start(const Round& round, const Bucket<T>& bucket) {
  if (bucket.fetch) bucket.fetch();
  Channel<T>& channel = core_->In(round.channel);
  channel.BeginStep(round.step);
  channel.CheckNorm(round);
  const BucketJob<T> job{*core_, channel, core_->stats[bucket.index], round, bucket};
  UnderWay made{Make(job), {0, {round.step, round.channel, bucket.index}}};
  const Id id = next_++;  // of its own also where Start throws: the bucket then stays, and no later one takes its place
  Note(id, under_way_.emplace(id, std::move(made)).first->second.exchange->Start());
  return id;
}

template <typename T>
size_t Exchange<T>::NumelToGather(const Round& round) const {
  const auto found = core_->channels.find(round.channel);
  if (found == core_->channels.end()) return 0;  // Start says that it is not open
  const Channel<T>& channel = *found->second;
  if (!channel.sees_model() || round.step < channel.parts.start_iter) return 0;
  const Segment last = AllSegments(channel.parameters).back();
  return last.offset + last.numel;
}

template <typename T>
void Exchange<T>::ShowModel(const Round& round, std::span<const Bucket<T>> buckets) {
  Channel<T>& channel = core_->In(round.channel);
  channel.BeginStep(round.step);
  double square = 0;
  for (const Bucket<T>& bucket : buckets)
    square += channel.SquaredNorm(round, bucket.index, bucket.segments, bucket.values, core_->lane);
  channel.SetNorm(round, std::sqrt(square));
}

/// What the bucket waits for next, if it is not finished.
template <typename T>
void Exchange<T>::Note(Id id, const std::optional<uint64_t>& operation) {
  if (operation)
    Find(id).wait.operation = *operation;
  else
    under_way_.erase(id);
}

template <typename T>
typename Exchange<T>::UnderWay& Exchange<T>::Find(Id id) {
  const auto found = under_way_.find(id);
  if (found == under_way_.end()) throw Error(fmt::format("exchange: bucket {} is not under way", id));
  return found->second;
}

template <typename T>
void Exchange<T>::Finish(Id id) {
  Find(id);
  while (const std::optional<Wait> wait = Pending(id)) Advance(id, Await(*wait));
}

template <typename T>
std::optional<typename Exchange<T>::Wait> Exchange<T>::Pending(Id id) const {
  const auto found = under_way_.find(id);
  return found == under_way_.end() ? std::nullopt : std::optional(found->second.wait);
}

template <typename T>
double Exchange<T>::Await(const Wait& wait) {
  double seconds = 0;
  try {
    const Timer timer(seconds);
    core_->collective.Finish({wait.operation, 0, wait.place});
  } catch (const PeerError& error) {
    throw PeerError(error.rank(), fmt::format("{}: {}", wait.place.text(), error.what()));
  }
  return seconds;
}

template <typename T>
void Exchange<T>::Advance(Id id, double waited_s) {
  UnderWay& under_way = Find(id);
  core_->stats[under_way.wait.place.bucket].wire_s += waited_s;
  Note(id, under_way.exchange->Resume());  // where it throws, the bucket stays
}

template <typename T>
bool Exchange<T>::takes_turns() const {
  return std::ranges::any_of(core_->topologies, [](const auto& of_channel) { return of_channel.second->iterates; });
}

template <typename T>
size_t Exchange<T>::BytesUnderWay() const {
  return core_->lane.buffers.taken();
}

template <typename T>
void Exchange<T>::Cancel() {
  core_->collective.Cancel();
}

template <typename T>
const std::vector<Parameter>& Exchange<T>::parameters() const {
  return core_->In(0).parameters;
}

ExchangeStats& ExchangeStats::operator+=(const ExchangeStats& other) {
  frame_bytes += other.frame_bytes;
  payload_bytes += other.payload_bytes;
  encode_s += other.encode_s;
  wire_s += other.wire_s;
  decode_s += other.decode_s;
  paper_bits += other.paper_bits;
  return *this;
}

template <typename T>
ExchangeStats Exchange<T>::stats() const {
  ExchangeStats total;
  for (const auto& [bucket, stats] : core_->stats) total += stats;
  return total;
}

template <typename T>
const std::map<uint32_t, ExchangeStats>& Exchange<T>::bucket_stats() const {
  return core_->stats;
}

template <typename T>
StateStore<T>& Exchange<T>::state(uint32_t channel) {
  core_->In(channel).UndoIfPoisoned();
  return core_->In(channel).state;
}

template <typename T>
StateStore<T>& Exchange<T>::down_state(uint32_t channel) {
  core_->In(channel).UndoIfPoisoned();
  return core_->In(channel).down_state;
}

template <typename T>
void Exchange<T>::ForgetMemory() {
  for (const auto& [number, channel] : SettledCore().channels) channel->ForgetMemory();
}

template <typename T>
ExchangeCore<T>& Exchange<T>::SettledCore() {
  for (const auto& [number, channel] : core_->channels) channel->UndoIfPoisoned();
  return *core_;
}

template <typename T>
void Exchange<T>::Arrange(const std::vector<ElementOrder>& orders) {
  std::string text;
  for (size_t p = 0; p < parameters().size(); ++p)
    text += fmt::format("memory format of {}: {}\n", parameters()[p].name, TextOf(orders.at(p)));
  CheckMatrices(core_->In(0).parts, parameters(), orders);
  core_->agreement.Reach(core_->collective, text);
  core_->Arrange(orders);
}

template <typename T>
void Exchange<T>::GoOnAt(uint64_t step) {
  for (const auto& [number, channel] : core_->channels) channel->GoOnAt(step);
}

template <typename T>
bool Exchange<T>::IsDense(uint64_t step, uint32_t channel) const {
  const Channel<T>& of = core_->In(channel);
  return step < of.parts.start_iter || of.IsDense(Round(step).In(channel));
}

template <typename T>
void Exchange<T>::SetPrevious(uint32_t parameter, std::span<const T> values) {
  Channel<T>& gradients = core_->In(0);
  gradients.UndoIfPoisoned();
  const Parameter& of = gradients.parameters.at(parameter);
  if (TravelsDense(gradients.parts, of)) return;
  if (!kernels::AllFinite(values))
    throw Error(fmt::format("parameter {}: its gradient at the point of the round before is not finite", of.name));
  std::ranges::copy(values, gradients.state.Vector(parameter, "y").begin());
}

template class Exchange<float>;
template class Exchange<double>;

}  // namespace gradwire
