// SPDX-License-Identifier: Apache-2.0
#include "train/memory_files.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "exchange/bucket_plan.h"
#include "gradwire/error.h"

namespace gradwire::train {
namespace {

constexpr std::string_view kUp = "up/", kDown = "down/", kReceived = "mean h";

/// What becomes of a vector on other ranks.
enum class Fate { kMean, kFirst, kOwners };

Fate FateOf(const MemoryVector& vector, Topology topology) {
  const bool sharded = topology == Topology::kSharded;
  if (vector.name == kReceived) return sharded && !vector.down ? Fate::kOwners : Fate::kFirst;
  return vector.down ? Fate::kOwners : Fate::kMean;
}

/// Zeroes what other ranks own.
void KeepOwned(MemoryVector& vector, PieceRule rule, int rank, int size) {
  const size_t numel = vector.values.size();
  for (size_t i = 0; i < PieceCount(numel, rule); ++i) {
    const Piece piece = PieceAt(numel, rule, i);
    if (OwnerOf(vector.parameter, piece, size) != static_cast<uint32_t>(rank))
      std::fill_n(vector.values.begin() + static_cast<std::ptrdiff_t>(piece.begin), piece.numel, 0.0f);
  }
}

using Key = std::tuple<bool, uint32_t, std::string>;

}  // namespace

void PutMemory(Snapshot& file, Exchange<float>& exchange) {
  for (const bool down : {false, true}) {
    StateStore<float>& store = down ? exchange.down_state() : exchange.state();
    store.ForEach([&](uint32_t parameter, std::string_view name, std::span<const float> values) {
      file.Put(fmt::format("{}{}/{}", down ? kDown : kUp, name, exchange.parameters()[parameter].name), values);
    });
  }
}

std::vector<MemoryVector> MemoryIn(const Snapshot& file, const std::vector<Parameter>& parameters) {
  std::map<std::string, uint32_t, std::less<>> ids;
  for (uint32_t p = 0; p < parameters.size(); ++p) ids.emplace(parameters[p].name, p);
  std::vector<MemoryVector> memory;
  for (const std::string& entry : file.names()) {
    const bool down = entry.starts_with(kDown);
    if (!down && !entry.starts_with(kUp)) continue;
    const std::string rest = entry.substr((down ? kDown : kUp).size());
    const size_t slash = rest.find('/');
    const auto id = slash == std::string::npos ? ids.end() : ids.find(rest.substr(slash + 1));
    if (id == ids.end())
      throw Error(fmt::format("{}: entry '{}' is of no parameter of this model", file.path(), entry));
    MemoryVector& vector = memory.emplace_back(down, id->second, rest.substr(0, slash));
    vector.values.resize(parameters[id->second].numel());
    file.Fill(entry, std::span<float>(vector.values));
  }
  return memory;
}

std::vector<MemoryVector> Reshard(const std::vector<Snapshot>& files, const std::vector<Parameter>& parameters,
                                  const ExchangeParts& parts, int rank, int size) {
  std::map<Key, MemoryVector> sums;
  for (const Snapshot& file : files)
    for (MemoryVector& vector : MemoryIn(file, parameters)) {
      const Key key{vector.down, vector.parameter, vector.name};
      const auto [sum, is_first] = sums.try_emplace(key, std::move(vector));
      if (is_first || FateOf(sum->second, parts.topology) == Fate::kFirst) continue;
      std::ranges::transform(sum->second.values, vector.values, sum->second.values.begin(), std::plus<>());
    }
  std::vector<MemoryVector> memory;
  for (auto& [key, vector] : sums) {
    const Fate fate = FateOf(vector, parts.topology);
    if (fate == Fate::kMean)
      for (float& value : vector.values) value /= static_cast<float>(files.size());
    if (fate == Fate::kOwners) KeepOwned(vector, parts.piece, rank, size);
    memory.push_back(std::move(vector));
  }
  return memory;
}

void SetMemory(Exchange<float>& exchange, const std::vector<MemoryVector>& memory) {
  exchange.state().Clear();
  exchange.down_state().Clear();
  for (const MemoryVector& vector : memory) {
    StateStore<float>& store = vector.down ? exchange.down_state() : exchange.state();
    std::ranges::copy(vector.values, store.Vector(vector.parameter, vector.name).begin());
  }
}

}  // namespace gradwire::train
