// SPDX-License-Identifier: Apache-2.0
#include "exchange/joint_memory.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>

#include <fmt/format.h>

#include "exchange/joint_job.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

template <typename T>
using Vectors = std::vector<SavedVector<T>>;

/// Whether it is kept once for all ranks.
template <typename T>
bool IsOfReceivers(const SavedVector<T>& vector) {
  return vector.down || FindLinkVector(vector.name).holder == Holder::kReceiver;
}

template <typename T>
bool LiesWithOwners(const Channel<T>& receivers, const SavedVector<T>& vector) {
  return receivers.LiesWithOwners(vector.down, FindLinkVector(vector.name).holder);
}

template <typename T>
auto KeyOf(const SavedVector<T>& vector) {
  return std::tie(vector.down, vector.parameter, vector.name);
}

/// Those of a channel that receivers, or senders, keep.
template <typename T>
Vectors<T> Of(const Vectors<T>& memory, uint32_t channel, bool receivers) {
  Vectors<T> some;
  std::ranges::copy_if(memory, std::back_inserter(some), [&](const SavedVector<T>& vector) {
    return vector.channel == channel && IsOfReceivers(vector) == receivers;
  });
  std::ranges::sort(some, {}, KeyOf<T>);
  return some;
}

/// The receivers' vectors of all ranks as one: those that lie with owners are put together.
template <typename T>
Vectors<T> Merge(const JointChannel<T>& channel, const std::vector<Vectors<T>>& memory, uint32_t number) {
  Vectors<T> all = Of(memory[0], number, /*receivers=*/true);
  CheckVectors(channel.receivers, all);
  for (SavedVector<T>& vector : all)
    if (LiesWithOwners(channel.receivers, vector)) channel.senders[0].KeepOwned(vector.parameter, vector.values);
  for (uint32_t rank = 1; rank < memory.size(); ++rank) {
    Vectors<T> more = Of(memory[rank], number, /*receivers=*/true);
    CheckVectors(channel.receivers, more);
    for (size_t i = 0; i < all.size(); ++i) {
      if (!LiesWithOwners(channel.receivers, all[i])) continue;
      channel.senders[rank].KeepOwned(more[i].parameter, more[i].values);
      for (size_t j = 0; j < all[i].values.size(); ++j)
        if (const T value = more[i].values[j]; value != 0 || std::signbit(value)) all[i].values[j] = value;
    }
  }
  return all;
}

}  // namespace

template <typename T>
Vectors<T> SaveMemory(JointExchange<T>& exchange, uint32_t rank) {
  Vectors<T> memory;
  for (const auto& [number, channel] : exchange.channels()) {
    Vectors<T> own = SaveVectors(channel->senders.at(rank), number);
    for (SavedVector<T>& vector : SaveVectors(channel->receivers, number)) {
      if (LiesWithOwners(channel->receivers, vector)) channel->senders[rank].KeepOwned(vector.parameter, vector.values);
      own.push_back(std::move(vector));
    }
    std::ranges::sort(own, {}, KeyOf<T>);
    std::ranges::move(own, std::back_inserter(memory));
  }
  return memory;
}

template <typename T>
void LoadMemory(JointExchange<T>& exchange, const std::vector<Vectors<T>>& memory) {
  if (memory.size() != exchange.ranks())
    throw Error(fmt::format("saved memory of {} ranks, expected {}", memory.size(), exchange.ranks()));
  for (const Vectors<T>& own : memory)
    for (const SavedVector<T>& vector : own)
      if (!exchange.channels().contains(vector.channel))
        throw Error(
            fmt::format("saved memory '{}' is of channel {}, which is not open here: it belongs to another method",
                        vector.name, vector.channel));
  std::map<uint32_t, Vectors<T>> merged;
  for (const auto& [number, channel] : exchange.channels()) {
    merged[number] = Merge(*channel, memory, number);
    for (uint32_t rank = 0; rank < memory.size(); ++rank)
      CheckVectors(channel->senders[rank], Of(memory[rank], number, /*receivers=*/false));
  }
  for (const auto& [number, channel] : exchange.channels()) {
    LoadVectors(channel->receivers, merged[number]);
    for (uint32_t rank = 0; rank < memory.size(); ++rank)
      LoadVectors(channel->senders[rank], Of(memory[rank], number, /*receivers=*/false));
  }
  exchange.GoOnAt(~uint64_t{0});
}

template <typename T>
std::map<uint32_t, uint64_t> OpeningsOf(JointExchange<T>& exchange) {
  std::map<uint32_t, uint64_t> openings;
  for (const auto& [number, channel] : exchange.channels())
    if (channel->receivers.opening) openings[number] = *channel->receivers.opening;
  return openings;
}

template <typename T>
void SetOpenings(JointExchange<T>& exchange, const std::map<uint32_t, uint64_t>& openings) {
  for (const auto& [number, channel] : exchange.channels()) {
    const auto found = openings.find(number);
    channel->receivers.opening = found == openings.end() ? std::nullopt : std::optional(found->second);
  }
}

#define GRADWIRE_INSTANTIATE(T)                                                                        \
  template std::vector<SavedVector<T>> SaveMemory(JointExchange<T>&, uint32_t);                        \
  template void LoadMemory(JointExchange<T>&, const std::vector<std::vector<SavedVector<T>>>& memory); \
  template std::map<uint32_t, uint64_t> OpeningsOf(JointExchange<T>&);                                 \
  template void SetOpenings(JointExchange<T>&, const std::map<uint32_t, uint64_t>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
