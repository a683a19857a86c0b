// SPDX-License-Identifier: Apache-2.0
#include "message/channel.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/philox.h"
#include "base/thread_pool.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {

double RefreshProbability(const ExchangeParts& parts, const std::vector<Parameter>& parameters, size_t workers) {
  if (!parts.link.refresh) return 0;
  const auto largest = std::ranges::max_element(parameters, {}, &Parameter::numel);
  const Piece piece =
      largest == parameters.end() || largest->numel() == 0 ? Piece::Whole(1) : PieceOf(*largest, parts.piece, 0);
  const double p = parts.link.refresh->At(*parts.compressor, piece);
  if (parts.link.refresh->rule == Coefficient::Rule::kNumber) return p;
  return p * parts.participation.MeanCount(workers) / static_cast<double>(workers);
}

template <typename T>
Channel<T>::Channel(std::vector<Parameter> parameters, ExchangeParts parts, uint32_t rank, uint32_t ranks, int owners)
    : Channel(Keeps::kAll, std::move(parameters), std::move(parts), rank, ranks, owners, this) {}

template <typename T>
Channel<T>::Channel(Receivers, std::vector<Parameter> parameters, ExchangeParts parts, uint32_t ranks, int owners)
    : Channel(Keeps::kOfReceivers, std::move(parameters), std::move(parts), /*rank=*/0, ranks, owners, this) {}

template <typename T>
Channel<T>::Channel(uint32_t rank, Channel& receivers)
    : Channel(Keeps::kOfSenders, receivers.parameters, receivers.parts, rank, receivers.ranks, receivers.owners,
              &receivers) {}

template <typename T>
Channel<T>::Channel(Keeps keeps, std::vector<Parameter> of, ExchangeParts made_of, uint32_t rank, uint32_t ranks,
                    int owners, Channel* receivers)
    : parameters(std::move(of)),
      parts(std::move(made_of)),
      rank(rank),
      ranks(ranks),
      owners(owners),
      state(parameters, parts.link.iterates ? parts.compressor->low_rank() : 0),
      down_state(parameters),
      keeps_(keeps),
      sees_model_(parts.compressor->scope() == Scope::kModel && !IsOnePiece(parameters, parts.piece)),
      up_memory_(state, KeptUp(), receivers->state, receivers->KeptUp()),
      down_memory_(down_state, KeptDown()) {
  parts.participation.Check(ranks);
  parts.aggregate.Check(ranks);
  ThreadPool::OfProcess().Grow(parts.threads);
  MakeMemory();
}

template <typename T>
double Channel<T>::SquaredNorm(const Round& round, uint32_t bucket, std::span<const Segment> segments,
                               std::span<const T> values, Lane& lane) {
  double square = 0;
  const std::shared_ptr<const BucketPlan> bucket_plan = PlanOf(bucket, segments, /*dense=*/false);
  for (const MessagePlan& plan : bucket_plan->up)
    for (const PlannedPiece& planned : plan.pieces) {
      const std::span<const T> v = values.subspan(planned.values, planned.piece.numel);
      if (!planned.dense && kernels::AllFinite(v) && !IsUnused(parts.link, parts.zeros_keep_memory, v))
        square += SquaredNormToSend(parts.link, *parts.compressor, planned.piece, lane,
                                    up_memory_.Of(planned.parameter, planned.piece), round.LrOf(planned.parameter), v);
    }
  return square;
}

template <typename T>
void Channel<T>::SetNorm(const Round& round, double norm) {
  with_norm_ = parts.compressor->ForNorm(norm);
  norm_step_ = round.step;
}

template <typename T>
void Channel<T>::CheckNorm(const Round& round) const {
  if (sees_model_ && round.step >= parts.start_iter && norm_step_ != round.step)
    throw Error(
        fmt::format("exchange: {} acts on the whole gradient at once, and a bucket of step {} came without the "
                    "others; expected all of them before the first is started, as ExchangeThread has them, or "
                    "clip:T:piece",
                    parts.compressor->spec(), round.step));
}

template <typename T>
std::vector<LinkVector> Channel<T>::KeptUp() const {
  std::vector<LinkVector> kept = parts.link.memory();
  const std::vector<LinkVector> learned = parts.learner ? parts.learning.memory() : std::vector<LinkVector>{};
  for (const LinkVector& vector : learned)
    if (std::ranges::find(kept, vector.name, &LinkVector::name) == kept.end()) kept.push_back(vector);
  if (parts.aggregate.remembers()) kept.push_back(FindLinkVector(kCentre));
  std::erase_if(kept, [this](const LinkVector& vector) {
    return keeps_ == (vector.holder == Holder::kSender ? Keeps::kOfReceivers : Keeps::kOfSenders);
  });
  return kept;
}

template <typename T>
std::vector<LinkVector> Channel<T>::KeptDown() const {
  return parts.down_compressor && keeps_ != Keeps::kOfSenders ? parts.down.memory() : std::vector<LinkVector>{};
}

template <typename T>
void Channel<T>::ForEachKept(const std::function<void(bool, uint32_t, const LinkVector&)>& visit) const {
  for (const bool is_down : {false, true}) {
    std::vector<LinkVector> kept = is_down ? KeptDown() : KeptUp();
    std::ranges::sort(kept, {}, &LinkVector::name);
    for (uint32_t p = 0; p < parameters.size(); ++p)
      for (const LinkVector& vector : kept)
        if (vector.name == kCentre || !TravelsDense(parts, parameters[p])) visit(is_down, p, vector);
  }
}

template <typename T>
void Channel<T>::MakeMemory() {
  ForEachKept(
      [this](bool down, uint32_t p, const LinkVector& vector) { (down ? down_state : state).Vector(p, vector.name); });
}

template <typename T>
void Channel<T>::ForgetMemory() {
  state.Clear();
  down_state.Clear();
  MakeMemory();
  step_ = ~uint64_t{0};
  poisoned = false;
  opening.reset();
}

template <typename T>
MessageContext<T> Channel<T>::Up(bool dense, Lane& lane, Purpose purpose) const {
  return {.rank = rank,
          .ranks = ranks,
          .parameters = parameters,
          .seed = parts.seed,
          .lane = lane,
          .threads = parts.threads,
          .link = parts.link,
          .compressor = with_norm_ ? *with_norm_ : *parts.compressor,
          .shift_link = parts.learner ? &parts.learning : nullptr,
          .shift_compressor = parts.learner.get(),
          .purpose = purpose,
          .memory = up_memory_,
          .dense = dense,
          .participation = dense || parts.participation.is_all() ? nullptr : &parts.participation,
          .aggregate = parts.aggregate.is_mean() ? nullptr : &parts.aggregate,
          .votes = parts.votes,
          .may_be_silent = parts.may_be_silent,
          .zeros_keep_memory = parts.zeros_keep_memory,
          .count_as = parts.count_as};
}

template <typename T>
MessageContext<T> Channel<T>::Down(Lane& lane) const {
  return {.rank = rank,
          .ranks = ranks,
          .parameters = parameters,
          .seed = parts.seed,
          .lane = lane,
          .threads = parts.threads,
          .link = parts.down,
          .compressor = *parts.down_compressor,
          .purpose = Purpose::kDown,
          .memory = down_memory_,
          .zeros_keep_memory = parts.zeros_keep_memory};
}

template <typename T>
bool Channel<T>::IsDense(const Round& round) const {
  if (parts.link.opens_dense && (opening ? round.step == *opening : round.step >= parts.start_iter)) return true;
  return parts.link.refresh && SharedCoin(parts.seed, round.draw(), RefreshProbability(parts, parameters, ranks));
}

template <typename T>
void Channel<T>::UndoIfPoisoned() {
  if (!parts.poison_undoes_step || !poisoned) return;
  state.GoBack();
  down_state.GoBack();
  if (opening == step_) opening.reset();
}

template <typename T>
void Channel<T>::GoOnAt(uint64_t step) {
  opening.reset();
  if (step > parts.start_iter) opening = parts.start_iter;
}

template <typename T>
void Channel<T>::BeginStep(uint64_t next) {
  if (next == step_) return;
  UndoIfPoisoned();
  step_ = next;
  poisoned = false;
  if (!opening && next >= parts.start_iter) opening = next;
  if (!parts.poison_undoes_step) return;
  state.Mark();
  down_state.Mark();
}

template <typename T>
void Channel<T>::KeepOwned(uint32_t parameter, std::span<T> values) const {
  if (keeps_ == Keeps::kOfReceivers) return;  // those of all owners
  for (size_t i = 0; i < PieceCount(parameters[parameter], parts.piece); ++i) {
    const Piece piece = PieceOf(parameters[parameter], parts.piece, i);
    if (OwnerOf(parameter, piece, owners) != rank) std::ranges::fill(values.subspan(piece.begin, piece.numel), T{0});
  }
}

template <typename T>
std::shared_ptr<const BucketPlan> Channel<T>::PlanOf(uint32_t bucket, std::span<const Segment> segments, bool dense) {
  std::shared_ptr<const BucketPlan>& plan = plans_[{bucket, dense}];
  const auto same = [](const Segment& a, const Segment& b) {
    return a.parameter == b.parameter && a.offset == b.offset && a.numel == b.numel;
  };
  if (plan && std::ranges::equal(plan->segments, segments, same)) return plan;
  ++plans_made_;
  plan = std::make_shared<BucketPlan>(MakePlan(parts, parameters, bucket, segments, {kDtypeOf<T>, owners, dense}));
  return plan;
}

template class Channel<float>;
template class Channel<double>;

}  // namespace gradwire
