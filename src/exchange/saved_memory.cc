// SPDX-License-Identifier: Apache-2.0
#include "exchange/saved_memory.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "exchange/core.h"
#include "exchange/topologies.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

/// What becomes of a vector on other ranks.
enum class Fate { kMean, kFirst, kSum };

template <typename T>
Fate FateOf(const SavedVector<T>& vector, bool has_owners) {
  const bool is_receivers = FindLinkVector(vector.name).holder == Holder::kReceiver;
  if (has_owners && is_receivers != vector.down) return Fate::kSum;  // it lies with the owners of its pieces
  return is_receivers ? Fate::kFirst : Fate::kMean;
}

using Key = std::tuple<uint32_t, bool, uint32_t, std::string>;

}  // namespace

template <typename T>
std::vector<SavedVector<T>> SaveMemory(Exchange<T>& exchange) {
  std::vector<SavedVector<T>> memory;
  for (const auto& [number, channel] : exchange.SettledCore().channels) {
    std::vector<SavedVector<T>> saved = SaveVectors(*channel, number);
    std::ranges::move(saved, std::back_inserter(memory));
  }
  return memory;
}

template <typename T>
void LoadMemory(Exchange<T>& exchange, const std::vector<SavedVector<T>>& memory) {
  ExchangeCore<T>& core = exchange.SettledCore();
  std::map<uint32_t, std::vector<SavedVector<T>>> by_channel;
  for (const auto& [number, channel] : core.channels) by_channel[number];
  for (const SavedVector<T>& vector : memory) {
    if (!by_channel.contains(vector.channel))
      throw Error(
          fmt::format("saved memory '{}' is of channel {}, which is not open here: it belongs to another method",
                      vector.name, vector.channel));
    by_channel[vector.channel].push_back(vector);
  }
  for (const auto& [number, vectors] : by_channel) CheckVectors(core.In(number), vectors);
  for (const auto& [number, vectors] : by_channel) LoadVectors(core.In(number), vectors);
  exchange.GoOnAt(~uint64_t{0});
}

template <typename T>
std::map<uint32_t, uint64_t> OpeningsOf(Exchange<T>& exchange) {
  std::map<uint32_t, uint64_t> openings;
  for (const auto& [number, channel] : exchange.SettledCore().channels)
    if (channel->opening) openings[number] = *channel->opening;
  return openings;
}

template <typename T>
void SetOpenings(Exchange<T>& exchange, const std::map<uint32_t, uint64_t>& openings) {
  for (const auto& [number, channel] : exchange.SettledCore().channels) {
    const auto found = openings.find(number);
    channel->opening = found == openings.end() ? std::nullopt : std::optional(found->second);
  }
}

template <typename T>
std::vector<SavedVector<T>> Reshard(const std::vector<std::vector<SavedVector<T>>>& old_ranks,
                                    std::string_view topology) {
  const bool has_owners = FindTopology(topology).has_owners;
  struct Sum {
    SavedVector<T> vector;
    size_t ranks = 0;
  };
  std::map<Key, Sum> sums;
  for (const std::vector<SavedVector<T>>& old : old_ranks)
    for (const SavedVector<T>& vector : old) {
      Sum& sum =
          sums.try_emplace({vector.channel, vector.down, vector.parameter, vector.name}, Sum{vector, 0}).first->second;
      if (sum.vector.values.size() != vector.values.size())
        throw Error(fmt::format("saved memory '{}' of parameter {} has {} elements on one old rank and {} on another",
                                vector.name, vector.parameter, sum.vector.values.size(), vector.values.size()));
      if (sum.ranks++ > 0 && FateOf(vector, has_owners) != Fate::kFirst)
        kernels::Add<T>(vector.values, sum.vector.values);
    }
  std::vector<SavedVector<T>> memory;
  for (auto& [key, sum] : sums) {
    SavedVector<T>& vector = sum.vector;
    if (sum.ranks != old_ranks.size())
      throw Error(fmt::format("saved memory '{}' of parameter {} is there on {} of {} old ranks, expected all",
                              vector.name, vector.parameter, sum.ranks, old_ranks.size()));
    if (FateOf(vector, has_owners) == Fate::kMean)
      for (T& value : vector.values) value /= static_cast<T>(old_ranks.size());
    memory.push_back(std::move(vector));
  }
  return memory;
}

#define GRADWIRE_INSTANTIATE(T)                                                 \
  template std::vector<SavedVector<T>> SaveMemory(Exchange<T>&);                \
  template std::map<uint32_t, uint64_t> OpeningsOf(Exchange<T>&);               \
  template void SetOpenings(Exchange<T>&, const std::map<uint32_t, uint64_t>&); \
  template void LoadMemory(Exchange<T>&, const std::vector<SavedVector<T>>&);   \
  template std::vector<SavedVector<T>> Reshard(const std::vector<std::vector<SavedVector<T>>>&, std::string_view);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
