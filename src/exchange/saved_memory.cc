// SPDX-License-Identifier: Apache-2.0
#include "exchange/saved_memory.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "exchange/core.h"
#include "gradwire/error.h"
#include "kernels/add.h"

namespace gradwire {
namespace {

/// What becomes of a vector on other ranks.
enum class Fate { kMean, kFirst, kOwners };

Fate FateOf(bool down, std::string_view name, Topology topology) {
  if (LiesWithOwners(down, name, topology)) return Fate::kOwners;
  return name == "mean h" ? Fate::kFirst : Fate::kMean;
}

std::string Describe(bool down, std::string_view name, const Parameter& parameter) {
  return fmt::format("'{}'{} of parameter {}", name, down ? " of the way back" : "", parameter.name);
}

using Key = std::tuple<bool, uint32_t, std::string>;

template <typename T>
void CheckVector(const ExchangeCore<T>& core, const SavedVector<T>& saved, const std::set<Key>& expected) {
  if (saved.parameter >= core.parameters.size())
    throw Error(fmt::format("saved memory of parameter {} of {}: it belongs to another model", saved.parameter,
                            core.parameters.size()));
  const Parameter& parameter = core.parameters[saved.parameter];
  const std::string what = "saved memory " + Describe(saved.down, saved.name, parameter);
  if (!expected.contains({saved.down, saved.parameter, saved.name}))
    throw Error(fmt::format("{} is not what method {} keeps here{}: it would never be sent", what, core.parts.method,
                            TravelsDense(core.parts, parameter) ? ", where the parameter travels dense" : ""));
  if (saved.values.size() != parameter.numel())
    throw Error(fmt::format("{} has {} elements, expected {}: it belongs to another model", what, saved.values.size(),
                            parameter.numel()));
  if (!kernels::AllFinite(std::span<const T>(saved.values)))
    throw Error(what + " holds an infinite element or a NaN, which would never leave it again");
}

template <typename T>
void CheckVectors(const ExchangeCore<T>& core, const std::vector<SavedVector<T>>& memory) {
  std::set<Key> expected;
  core.ForEachKept([&](bool down, uint32_t p, std::string_view name) { expected.emplace(down, p, name); });
  std::set<Key> missing = expected;
  for (const SavedVector<T>& saved : memory) {
    CheckVector(core, saved, expected);
    if (missing.erase({saved.down, saved.parameter, saved.name}) == 0)
      throw Error("saved memory has twice " + Describe(saved.down, saved.name, core.parameters[saved.parameter]));
  }
  if (missing.empty()) return;
  const auto& [down, parameter, name] = *missing.begin();
  throw Error(fmt::format("saved memory has no {} (of {} that are missing): expected all that method {} keeps",
                          Describe(down, name, core.parameters[parameter]), missing.size(), core.parts.method));
}

}  // namespace

bool LiesWithOwners(bool down, std::string_view name, Topology topology) {
  return name == "mean h" ? !down && topology == Topology::kSharded : down;
}

template <typename T>
void KeepOwned(const ExchangeCore<T>& core, uint32_t parameter, std::span<T> values) {
  for (size_t i = 0; i < PieceCount(values.size(), core.parts.piece); ++i) {
    const Piece piece = PieceAt(values.size(), core.parts.piece, i);
    if (OwnerOf(parameter, piece, core.collective.size()) != static_cast<uint32_t>(core.collective.rank()))
      std::ranges::fill(values.subspan(piece.begin, piece.numel), T{0});
  }
}

template <typename T>
std::vector<SavedVector<T>> SaveVectors(const ExchangeCore<T>& core) {
  std::vector<SavedVector<T>> memory;
  core.ForEachKept([&](bool down, uint32_t parameter, std::string_view name) {
    const StateStore<T>& store = down ? core.down_state : core.state;
    memory.push_back({down, parameter, std::string(name), store.Read(parameter, name)});
  });
  return memory;
}

template <typename T>
void LoadVectors(ExchangeCore<T>& core, const std::vector<SavedVector<T>>& memory) {
  CheckVectors(core, memory);
  core.ForgetMemory();
  for (const SavedVector<T>& saved : memory) {
    StateStore<T>& store = saved.down ? core.down_state : core.state;
    store.Write(saved.parameter, saved.name, saved.values);
    if (LiesWithOwners(saved.down, saved.name, core.parts.topology))
      KeepOwned(core, saved.parameter, store.Vector(saved.parameter, saved.name));
  }
}

template <typename T>
std::vector<SavedVector<T>> SaveMemory(Exchange<T>& exchange) {
  return SaveVectors(exchange.SettledCore());
}

template <typename T>
void LoadMemory(Exchange<T>& exchange, const std::vector<SavedVector<T>>& memory) {
  LoadVectors(exchange.SettledCore(), memory);
  exchange.GoOnAt(~uint64_t{0});
}

template <typename T>
std::vector<SavedVector<T>> Reshard(const std::vector<std::vector<SavedVector<T>>>& old_ranks, Topology topology) {
  struct Sum {
    SavedVector<T> vector;
    size_t ranks = 0;
  };
  std::map<Key, Sum> sums;
  for (const std::vector<SavedVector<T>>& old : old_ranks)
    for (const SavedVector<T>& vector : old) {
      Sum& sum = sums.try_emplace({vector.down, vector.parameter, vector.name}, Sum{vector, 0}).first->second;
      if (sum.vector.values.size() != vector.values.size())
        throw Error(fmt::format("saved memory '{}' of parameter {} has {} elements on one old rank and {} on another",
                                vector.name, vector.parameter, sum.vector.values.size(), vector.values.size()));
      if (sum.ranks++ > 0 && FateOf(vector.down, vector.name, topology) != Fate::kFirst)
        kernels::Add<T>(vector.values, sum.vector.values);
    }
  std::vector<SavedVector<T>> memory;
  for (auto& [key, sum] : sums) {
    SavedVector<T>& vector = sum.vector;
    if (sum.ranks != old_ranks.size())
      throw Error(fmt::format("saved memory '{}' of parameter {} is there on {} of {} old ranks, expected all",
                              vector.name, vector.parameter, sum.ranks, old_ranks.size()));
    if (FateOf(vector.down, vector.name, topology) == Fate::kMean)
      for (T& value : vector.values) value /= static_cast<T>(old_ranks.size());
    memory.push_back(std::move(vector));
  }
  return memory;
}

#define GRADWIRE_INSTANTIATE(T)                                                    \
  template void KeepOwned(const ExchangeCore<T>&, uint32_t, std::span<T>);         \
  template std::vector<SavedVector<T>> SaveVectors(const ExchangeCore<T>&);        \
  template void LoadVectors(ExchangeCore<T>&, const std::vector<SavedVector<T>>&); \
  template std::vector<SavedVector<T>> SaveMemory(Exchange<T>&);                   \
  template void LoadMemory(Exchange<T>&, const std::vector<SavedVector<T>>&);      \
  template std::vector<SavedVector<T>> Reshard(const std::vector<std::vector<SavedVector<T>>>&, Topology);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
