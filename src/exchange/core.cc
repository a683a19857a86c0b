// SPDX-License-Identifier: Apache-2.0
#include "exchange/core.h"

#include <algorithm>
#include <set>

#include "base/philox.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {

double RefreshProbability(const ExchangeParts& parts, const std::vector<Parameter>& parameters, size_t workers) {
  if (!parts.link.refresh) return 0;
  size_t largest = 1;
  for (const Parameter& parameter : parameters) largest = std::max(largest, parameter.numel());
  const double p = parts.link.refresh->At(*parts.compressor, PieceAt(largest, parts.piece, 0));
  if (parts.link.refresh->rule == Coefficient::Rule::kNumber) return p;
  return p * static_cast<double>(parts.participation.CountOf(workers)) / static_cast<double>(workers);
}

template <typename T>
void ExchangeCore<T>::ForEachKept(const std::function<void(bool, uint32_t, std::string_view)>& look) const {
  std::set<std::string_view> up, down;
  for (const std::string_view name : parts.link.memory()) up.insert(name);
  if (parts.learner)
    for (const std::string_view name : parts.learning.memory()) up.insert(name);
  if (parts.down_compressor)
    for (const std::string_view name : parts.down.memory()) down.insert(name);
  for (const bool is_down : {false, true})
    for (uint32_t p = 0; p < parameters.size(); ++p)
      if (!TravelsDense(parts, parameters[p]))
        for (const std::string_view name : is_down ? down : up) look(is_down, p, name);
}

template <typename T>
void ExchangeCore<T>::MakeMemory() {
  ForEachKept([this](bool down, uint32_t p, std::string_view name) { (down ? down_state : state).Vector(p, name); });
}

template <typename T>
void ExchangeCore<T>::ForgetMemory() {
  state.Clear();
  down_state.Clear();
  MakeMemory();
  step = ~uint64_t{0};
  poisoned = false;
  opening.reset();
}

template <typename T>
void ExchangeCore<T>::Arrange(const std::vector<ElementOrder>& orders) {
  Settle();
  poisoned = false;  // nothing of that step is undone any more
  for (uint32_t p = 0; p < parameters.size(); ++p) {
    if (state.order(p) == orders.at(p)) continue;
    state.SetOrder(p, orders[p]);
    down_state.SetOrder(p, orders[p]);
    if (parts.topology != Topology::kSharded || PieceCount(parameters[p].numel(), parts.piece) < 2) continue;
    ShareOut(p, state, /*down=*/false);
    ShareOut(p, down_state, /*down=*/true);
  }
}

/// Pieces have other elements than before, so that what owners hold goes to others.
template <typename T>
void ExchangeCore<T>::ShareOut(uint32_t parameter, StateStore<T>& store, bool down) {
  std::vector<std::string> names;
  store.ForEach([&](uint32_t p, std::string_view name, std::span<const T>) {
    if (p == parameter && LiesWithOwners(down, name, parts.topology)) names.emplace_back(name);
  });
  for (const std::string& name : names) {
    const std::span<T> values = store.Vector(parameter, name);
    collective.Finish(collective.StartAllReduce(values));  // one rank's number and zeros: exact
    KeepOwned(*this, parameter, values);
  }
}

template <typename T>
bool ExchangeCore<T>::IsDense(uint64_t step) const {
  if (parts.link.opens_dense && (opening ? step == *opening : step >= parts.start_iter)) return true;
  return parts.link.refresh &&
         SharedCoin(parts.seed, step, RefreshProbability(parts, parameters, static_cast<size_t>(collective.size())));
}

template <typename T>
void ExchangeCore<T>::Settle() {
  if (!parts.poison_undoes_step || !poisoned) return;
  state.GoBack();
  down_state.GoBack();
  if (opening == step) opening.reset();
}

template <typename T>
void ExchangeCore<T>::BeginStep(uint64_t next) {
  if (next == step) return;
  Settle();
  step = next;
  poisoned = false;
  if (!opening && next >= parts.start_iter) opening = next;
  if (!parts.poison_undoes_step) return;
  state.Mark();
  down_state.Mark();
}

template <typename T>
std::shared_ptr<const BucketPlan> ExchangeCore<T>::PlanOf(const Bucket<T>& bucket, bool dense) {
  std::shared_ptr<const BucketPlan>& plan = plans[{bucket.index, dense}];
  const auto same = [](const Segment& a, const Segment& b) {
    return a.parameter == b.parameter && a.offset == b.offset && a.numel == b.numel;
  };
  if (!plan || !std::ranges::equal(plan->segments, bucket.segments, same)) {
    plan = std::make_shared<BucketPlan>(MakePlan(parts, parameters, bucket, collective.size(), dense));
    free_buffers.clear();  // sizes of the old layout
  }
  return plan;
}

template <typename T>
void OwnerStep(const Prox& prox, double lr, std::span<const T> point, std::span<T> gradient) {
  if (!prox) return;
  if (point.size() != gradient.size())
    throw Error("exchange: a regulariser needs the point where the gradient was taken");
  if (IsNoStep<T>(lr)) {
    std::ranges::fill(gradient, T{0});
    return;
  }
  const T s = static_cast<T>(lr);
  kernels::StepFrom(point, s, gradient);
  prox.Apply(lr, gradient);
  kernels::GradientOfStep(point, s, gradient);
}

template <typename T>
void OwnerStep(const Prox& prox, const Round& round, const Bucket<T>& bucket) {
  if (!prox) return;
  for (const Segment& segment : bucket.segments) {
    const auto point = bucket.point.empty() ? bucket.point : bucket.point.subspan(segment.offset, segment.numel);
    OwnerStep<T>(prox, round.LrOf(segment.parameter), point, bucket.values.subspan(segment.offset, segment.numel));
  }
}

template struct ExchangeCore<float>;
template struct ExchangeCore<double>;
#define GRADWIRE_INSTANTIATE(T)                                                   \
  template void OwnerStep(const Prox&, double, std::span<const T>, std::span<T>); \
  template void OwnerStep(const Prox&, const Round&, const Bucket<T>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
