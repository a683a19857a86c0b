// SPDX-License-Identifier: Apache-2.0
#include "exchange/core.h"

#include <algorithm>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {

template <typename T>
Channel<T>& ExchangeCore<T>::In(uint32_t channel) {
  const auto found = channels.find(channel);
  if (found == channels.end())
    throw Error(fmt::format("exchange: channel {} is not open; expected one of Exchange::Open, or 0", channel));
  return *found->second;
}

template <typename T>
void ExchangeCore<T>::Arrange(const std::vector<ElementOrder>& orders) {
  Channel<T>& gradients = In(0);
  gradients.UndoIfPoisoned();
  gradients.poisoned = false;  // nothing of that step is undone any more
  for (uint32_t p = 0; p < gradients.parameters.size(); ++p) {
    if (gradients.state.order(p) == orders.at(p)) continue;
    gradients.state.SetOrder(p, orders[p]);
    gradients.down_state.SetOrder(p, orders[p]);
    if (gradients.owners == 0 || PieceCount(gradients.parameters[p], gradients.parts.piece) < 2) continue;
    ShareOut(p, gradients.state, /*down=*/false);
    ShareOut(p, gradients.down_state, /*down=*/true);
  }
}

/// Pieces have other elements than before, so that what owners hold goes to others.
template <typename T>
void ExchangeCore<T>::ShareOut(uint32_t parameter, StateStore<T>& store, bool down) {
  const Channel<T>& gradients = In(0);
  std::vector<std::string> names;
  store.ForEach([&](uint32_t p, std::string_view name, std::span<const T>) {
    if (p == parameter && gradients.LiesWithOwners(down, FindLinkVector(name).holder)) names.emplace_back(name);
  });
  for (const std::string& name : names) {
    const std::span<T> values = store.Vector(parameter, name);
    collective.Finish(collective.StartAllReduce(values));  // one rank's number and zeros: exact
    gradients.KeepOwned(parameter, values);
  }
}

template <typename T>
std::shared_ptr<const BucketPlan> BucketJob<T>::Plan(bool dense) const {
  CheckSegments(channel.parameters, bucket.segments, bucket.values.size());
  const uint64_t before = channel.plans_made();
  const auto plan = channel.PlanOf(bucket.index, bucket.segments, dense);
  if (channel.plans_made() != before) core.lane.buffers.Clear();  // sizes of the old layout
  return plan;
}

template <typename T>
Frame BucketJob<T>::FrameNames(uint16_t flags) const {
  Frame names;
  names.flags = flags;
  names.token = core.token;
  names.step = round.step;
  names.channel = round.channel;
  names.bucket = bucket.index;
  return names;
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
template struct BucketJob<float>;
template struct BucketJob<double>;
#define GRADWIRE_INSTANTIATE(T)                                                   \
  template void OwnerStep(const Prox&, double, std::span<const T>, std::span<T>); \
  template void OwnerStep(const Prox&, const Round&, const Bucket<T>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
