// SPDX-License-Identifier: Apache-2.0
#include "gradwire/exchange.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "exchange/agree.h"
#include "exchange/core.h"
#include "gradwire/error.h"
#include "kernels/add.h"

namespace gradwire {
namespace {

std::string_view NameOf(Topology topology) {
  switch (topology) {
    case Topology::kAllGather: return "allgather";
    case Topology::kSharded: return "sharded";
    case Topology::kAllReduce: return "allreduce";
  }
  throw Error("no such topology");
}

std::string Settings(const ExchangeParts& parts, const std::vector<Parameter>& parameters, Dtype dtype) {
  std::string text = fmt::format(
      "link: {}\nits numbers: {}\ncompressor: {}\nlearner: {}\ndown: {}\ntopology: {}\nparticipation: {}\n"
      "votes: {}\nprox: {} {}\npiece: {}\nmin_compress_numel: {}\n"
      "compress_1d: {}\nstart_iter: {}\nseed: {}\nzeros keep memory: {}\npoison undoes a step: {}\ndtype: float{}\n",
      parts.link.name, parts.link.numbers(), parts.compressor->spec(),
      parts.learner ? fmt::format("{}, {}", parts.learner->spec(), parts.learning.numbers()) : "none",
      parts.topology == Topology::kSharded
          ? fmt::format("{}, {}, {}", parts.down.name, parts.down_compressor->spec(), parts.down.numbers())
          : "none",
      NameOf(parts.topology), parts.participation.text(), parts.votes, static_cast<int>(parts.prox.kind),
      parts.prox.lambda, parts.piece == PieceRule::kFixed ? "fixed" : "tensor", parts.min_compress_numel,
      parts.compress_1d, parts.start_iter, parts.seed, parts.zeros_keep_memory, parts.poison_undoes_step,
      8 * SizeOf(dtype));
  for (const Parameter& parameter : parameters)
    text += fmt::format("parameter {}: [{}]{}\n", parameter.name, fmt::join(parameter.shape, ", "),
                        parameter.order.empty() ? "" : ", " + TextOf(parameter.order));
  return text;
}

/// An operator that must see the whole gradient gets it where that is one piece.
void CheckModelScope(const ExchangeParts& parts, const std::vector<Parameter>& parameters) {
  const bool one_piece = parameters.size() == 1 && PieceCount(parameters[0].numel(), parts.piece) == 1;
  for (const auto& compressor : {parts.compressor, parts.learner, parts.down_compressor})
    if (compressor && compressor->scope() == Scope::kModel && !one_piece)
      throw ConfigError(
          "comm.compressor",
          fmt::format(
              "{} acts on the whole gradient at once, and this model has {} parameters; expected a model "
              "of one parameter and one piece (comm.piece: tensor), as the convex problems are, or clip:T:piece",
              compressor->spec(), parameters.size()));
}

template <typename T>
std::unique_ptr<Flight<T>> MakeFlight(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket) {
  if (round.step < core.parts.start_iter) return MakeDenseAllReduce(core, round, bucket);
  switch (core.parts.topology) {
    case Topology::kAllGather: return MakeAllGather(core, round, bucket);
    case Topology::kSharded: return MakeSharded(core, round, bucket);
    case Topology::kAllReduce: return MakeAllReduce(core, round, bucket);
  }
  throw Error("no such topology");
}

}  // namespace

template <typename T>
struct Exchange<T>::UnderWay {
  std::unique_ptr<Flight<T>> flight;
  uint64_t step;
  uint32_t bucket;
};

template <typename T>
Exchange<T>::Exchange(Collective& collective, std::vector<Parameter> parameters, ExchangeParts parts)
    : core_(std::make_unique<ExchangeCore<T>>(collective, std::move(parameters), std::move(parts))) {
  CheckModelScope(core_->parts, core_->parameters);
  core_->MakeMemory();
  core_->token = Agree(collective, Settings(core_->parts, core_->parameters, kDtypeOf<T>));
}

template <typename T>
Exchange<T>::~Exchange() = default;

template <typename T>
typename Exchange<T>::Id Exchange<T>::Start(const Round& round, const Bucket<T>& bucket) {
  if (bucket.fetch) bucket.fetch();
  core_->BeginStep(round.step);
  UnderWay under_way{MakeFlight(*core_, round, bucket), round.step, bucket.index};
  flights_.emplace(next_, std::move(under_way)).first->second.flight->Start();  // where it throws, the flight stays
  return next_++;
}

template <typename T>
typename Exchange<T>::UnderWay& Exchange<T>::Find(Id id) {
  const auto found = flights_.find(id);
  if (found == flights_.end()) throw Error(fmt::format("exchange: bucket {} is not under way", id));
  return found->second;
}

template <typename T>
void Exchange<T>::Finish(Id id) {
  Find(id);
  while (const std::optional<Wait> wait = Pending(id)) Advance(id, Await(*wait));
}

template <typename T>
std::optional<typename Exchange<T>::Wait> Exchange<T>::Pending(Id id) const {
  const auto found = flights_.find(id);
  if (found == flights_.end()) return std::nullopt;
  const UnderWay& under_way = found->second;
  return Wait{*under_way.flight->awaits(), under_way.step, under_way.bucket};
}

template <typename T>
double Exchange<T>::Await(const Wait& wait) {
  double seconds = 0;
  try {
    const Timer timer(seconds);
    core_->collective.Finish({wait.operation, 0, fmt::format("step {}, bucket {}", wait.step, wait.bucket)});
  } catch (const PeerError& error) {
    throw PeerError(error.rank(), fmt::format("step {}, bucket {}: {}", wait.step, wait.bucket, error.what()));
  }
  return seconds;
}

template <typename T>
void Exchange<T>::Advance(Id id, double waited_s) {
  UnderWay& under_way = Find(id);
  core_->stats[under_way.bucket].wire_s += waited_s;
  under_way.flight->Advance();  // where it throws, the flight stays
  if (!under_way.flight->awaits()) flights_.erase(id);
}

template <typename T>
void Exchange<T>::Cancel() {
  core_->collective.Cancel();
}

template <typename T>
const std::vector<Parameter>& Exchange<T>::parameters() const {
  return core_->parameters;
}

ExchangeStats& ExchangeStats::operator+=(const ExchangeStats& other) {
  frame_bytes += other.frame_bytes;
  payload_bytes += other.payload_bytes;
  encode_s += other.encode_s;
  wire_s += other.wire_s;
  decode_s += other.decode_s;
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
StateStore<T>& Exchange<T>::state() {
  core_->Settle();
  return core_->state;
}

template <typename T>
StateStore<T>& Exchange<T>::down_state() {
  core_->Settle();
  return core_->down_state;
}

template <typename T>
void Exchange<T>::ForgetMemory() {
  core_->Settle();
  core_->ForgetMemory();
}

template <typename T>
ExchangeCore<T>& Exchange<T>::SettledCore() {
  core_->Settle();
  return *core_;
}

template <typename T>
void Exchange<T>::Arrange(const std::vector<ElementOrder>& orders) {
  std::string text;
  for (size_t p = 0; p < core_->parameters.size(); ++p)
    text += fmt::format("memory format of {}: {}\n", core_->parameters[p].name, TextOf(orders.at(p)));
  core_->agreement.Reach(core_->collective, text);
  core_->Arrange(orders);
}

template <typename T>
void Exchange<T>::GoOnAt(uint64_t step) {
  core_->opening.reset();
  if (step > core_->parts.start_iter) core_->opening = core_->parts.start_iter;
}

template <typename T>
bool Exchange<T>::IsDense(uint64_t step) const {
  return step < core_->parts.start_iter || core_->IsDense(step);
}

template <typename T>
void Exchange<T>::SetPrevious(uint32_t parameter, std::span<const T> values) {
  core_->Settle();
  const Parameter& of = core_->parameters.at(parameter);
  if (TravelsDense(core_->parts, of)) return;
  if (!kernels::AllFinite(values))
    throw Error(fmt::format("parameter {}: its gradient at the point of the round before is not finite", of.name));
  std::ranges::copy(values, core_->state.Vector(parameter, "y").begin());
}

template class Exchange<float>;
template class Exchange<double>;

}  // namespace gradwire
