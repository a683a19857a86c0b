// SPDX-License-Identifier: Apache-2.0
#include "gradwire/exchange.h"

#include <sstream>

#include <fmt/format.h>

#include "exchange/agree.h"
#include "exchange/core.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

std::string Settings(const ExchangeParts& parts, const std::vector<Parameter>& parameters, Dtype dtype) {
  std::string text = fmt::format(
      "link: {}\ncompressor: {}\ntopology: {}\npiece: {}\nmin_compress_numel: {}\ncompress_1d: {}\nstart_iter: {}\n"
      "seed: {}\ndtype: float{}\n",
      parts.link->name, parts.compressor->spec(), parts.topology == Topology::kAllGather ? "allgather" : "allreduce",
      parts.piece == PieceRule::kFixed ? "fixed" : "tensor", parts.min_compress_numel, parts.compress_1d,
      parts.start_iter, parts.seed, 8 * SizeOf(dtype));
  for (const Parameter& parameter : parameters)
    text += fmt::format("parameter {}: [{}]\n", parameter.name, fmt::join(parameter.shape, ", "));
  return text;
}

}  // namespace

template <typename T>
Exchange<T>::Exchange(Collective& collective, std::vector<Parameter> parameters, ExchangeParts parts)
    : core_(std::make_unique<ExchangeCore<T>>(collective, std::move(parameters), std::move(parts))) {
  core_->token = Agree(collective, Settings(core_->parts, core_->parameters, kDtypeOf<T>));
}

template <typename T>
Exchange<T>::~Exchange() = default;

template <typename T>
typename Exchange<T>::Id Exchange<T>::Start(const Round& round, const Bucket<T>& bucket) {
  const bool dense = round.step < core_->parts.start_iter || core_->parts.topology == Topology::kAllReduce;
  auto flight = dense ? MakeAllReduce(*core_, bucket) : MakeAllGather(*core_, round.step, bucket);
  flights_.emplace(next_, std::move(flight)).first->second->Start();  // where it throws, the flight stays
  return next_++;
}

template <typename T>
void Exchange<T>::Finish(Id id) {
  const auto flight = flights_.find(id);
  if (flight == flights_.end()) throw Error(fmt::format("Exchange::Finish: bucket {} is not under way", id));
  flight->second->Finish();  // where it throws, the flight stays
  flights_.erase(flight);
}

template <typename T>
const std::vector<Parameter>& Exchange<T>::parameters() const {
  return core_->parameters;
}

template <typename T>
const ExchangeStats& Exchange<T>::stats() const {
  return core_->stats;
}

template <typename T>
StateStore<T>& Exchange<T>::state() {
  return core_->state;
}

template class Exchange<float>;
template class Exchange<double>;

}  // namespace gradwire
