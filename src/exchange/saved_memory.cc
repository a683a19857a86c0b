// SPDX-License-Identifier: Apache-2.0
#include "gradwire/saved_memory.h"

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "exchange/core.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

/// What becomes of a vector on other ranks.
enum class Fate { kMean, kFirst, kOwners };

template <typename T>
Fate FateOf(const SavedVector<T>& vector, Topology topology) {
  const bool sharded = topology == Topology::kSharded;
  if (vector.name == "mean h") return sharded && !vector.down ? Fate::kOwners : Fate::kFirst;
  return vector.down ? Fate::kOwners : Fate::kMean;
}

/// Zeroes what other ranks own.
template <typename T>
void KeepOwned(SavedVector<T>& vector, PieceRule rule, int rank, int size) {
  const size_t numel = vector.values.size();
  for (size_t i = 0; i < PieceCount(numel, rule); ++i) {
    const Piece piece = PieceAt(numel, rule, i);
    if (OwnerOf(vector.parameter, piece, size) != static_cast<uint32_t>(rank))
      std::fill_n(vector.values.begin() + static_cast<std::ptrdiff_t>(piece.begin), piece.numel, T{0});
  }
}

}  // namespace

template <typename T>
std::vector<SavedVector<T>> SaveVectors(const StateStore<T>& up, const StateStore<T>& down) {
  std::vector<SavedVector<T>> memory;
  for (const bool is_down : {false, true})
    (is_down ? down : up).ForEach([&](uint32_t parameter, std::string_view name, std::span<const T> values) {
      memory.push_back({is_down, parameter, std::string(name), {values.begin(), values.end()}});
    });
  return memory;
}

template <typename T>
void LoadVectors(const std::vector<Parameter>& parameters, const std::vector<SavedVector<T>>& memory, StateStore<T>& up,
                 StateStore<T>& down, const std::function<void()>& forget) {
  for (const SavedVector<T>& saved : memory) {
    const Parameter& parameter = parameters.at(saved.parameter);
    if (saved.values.size() != parameter.numel())
      throw Error(
          fmt::format("saved memory '{}' of parameter {} has {} elements, expected {}: it belongs to another model",
                      saved.name, parameter.name, saved.values.size(), parameter.numel()));
  }
  forget();
  for (const SavedVector<T>& saved : memory)
    std::ranges::copy(saved.values, (saved.down ? down : up).Vector(saved.parameter, saved.name).begin());
}

template <typename T>
std::vector<SavedVector<T>> SaveMemory(Exchange<T>& exchange) {
  return SaveVectors(exchange.state(), exchange.down_state());
}

template <typename T>
void LoadMemory(Exchange<T>& exchange, const std::vector<SavedVector<T>>& memory) {
  LoadVectors(exchange.parameters(), memory, exchange.state(), exchange.down_state(), [&] { exchange.ForgetMemory(); });
}

template <typename T>
std::vector<SavedVector<T>> Reshard(const std::vector<std::vector<SavedVector<T>>>& old_ranks, Topology topology,
                                    PieceRule piece, int rank, int size) {
  std::map<std::tuple<bool, uint32_t, std::string>, SavedVector<T>> sums;
  for (const std::vector<SavedVector<T>>& old : old_ranks)
    for (const SavedVector<T>& vector : old) {
      const auto [found, is_first] = sums.try_emplace({vector.down, vector.parameter, vector.name}, vector);
      std::vector<T>& sum = found->second.values;
      if (is_first || FateOf(vector, topology) == Fate::kFirst) continue;
      if (sum.size() != vector.values.size())
        throw Error(fmt::format("saved memory '{}' of parameter {} has {} elements on one old rank and {} on another",
                                vector.name, vector.parameter, sum.size(), vector.values.size()));
      std::ranges::transform(sum, vector.values, sum.begin(), std::plus<>());
    }
  std::vector<SavedVector<T>> memory;
  for (auto& [key, vector] : sums) {
    const Fate fate = FateOf(vector, topology);
    if (fate == Fate::kMean)
      for (T& value : vector.values) value /= static_cast<T>(old_ranks.size());
    if (fate == Fate::kOwners) KeepOwned(vector, piece, rank, size);
    memory.push_back(std::move(vector));
  }
  return memory;
}

#define GRADWIRE_INSTANTIATE(T)                                                                                      \
  template std::vector<SavedVector<T>> SaveVectors(const StateStore<T>&, const StateStore<T>&);                      \
  template void LoadVectors(const std::vector<Parameter>&, const std::vector<SavedVector<T>>&, StateStore<T>&,       \
                            StateStore<T>&, const std::function<void()>&);                                           \
  template std::vector<SavedVector<T>> SaveMemory(Exchange<T>&);                                                     \
  template void LoadMemory(Exchange<T>&, const std::vector<SavedVector<T>>&);                                        \
  template std::vector<SavedVector<T>> Reshard(const std::vector<std::vector<SavedVector<T>>>&, Topology, PieceRule, \
                                               int, int);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
