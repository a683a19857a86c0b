// SPDX-License-Identifier: Apache-2.0
#include "message/saved_vector.h"

#include <set>
#include <tuple>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

std::string Describe(bool down, std::string_view name, const Parameter& parameter) {
  return fmt::format("'{}'{} of parameter {}", name, down ? " of the way back" : "", parameter.name);
}

using Key = std::tuple<bool, uint32_t, std::string>;

template <typename T>
void CheckVector(const Channel<T>& channel, const SavedVector<T>& saved, const std::set<Key>& expected) {
  if (saved.parameter >= channel.parameters.size())
    throw Error(fmt::format("saved memory of parameter {} of {}: it belongs to another model", saved.parameter,
                            channel.parameters.size()));
  const Parameter& parameter = channel.parameters[saved.parameter];
  const std::string what = "saved memory " + Describe(saved.down, saved.name, parameter);
  if (!expected.contains({saved.down, saved.parameter, saved.name}))
    throw Error(fmt::format("{} is not what method {} keeps here{}: it would never be sent", what, channel.parts.method,
                            TravelsDense(channel.parts, parameter) ? ", where the parameter travels dense" : ""));
  const size_t numel = (saved.down ? channel.down_state : channel.state).NumelOf(saved.parameter, saved.name);
  if (saved.values.size() != numel)
    throw Error(
        fmt::format("{} has {} elements, expected {}: it belongs to another model", what, saved.values.size(), numel));
  if (!kernels::AllFinite(std::span<const T>(saved.values)))
    throw Error(what + " holds an infinite element or a NaN, which would never leave it again");
}

}  // namespace

template <typename T>
void CheckVectors(const Channel<T>& channel, const std::vector<SavedVector<T>>& memory) {
  std::set<Key> expected;
  channel.ForEachKept([&](bool down, uint32_t p, const LinkVector& vector) { expected.emplace(down, p, vector.name); });
  std::set<Key> missing = expected;
  for (const SavedVector<T>& saved : memory) {
    CheckVector(channel, saved, expected);
    if (missing.erase({saved.down, saved.parameter, saved.name}) == 0)
      throw Error("saved memory has twice " + Describe(saved.down, saved.name, channel.parameters[saved.parameter]));
  }
  if (missing.empty()) return;
  const auto& [down, parameter, name] = *missing.begin();
  throw Error(fmt::format("saved memory has no {} (of {} that are missing): expected all that method {} keeps",
                          Describe(down, name, channel.parameters[parameter]), missing.size(), channel.parts.method));
}

template <typename T>
std::vector<SavedVector<T>> SaveVectors(const Channel<T>& channel, uint32_t number) {
  std::vector<SavedVector<T>> memory;
  channel.ForEachKept([&](bool down, uint32_t parameter, const LinkVector& vector) {
    const StateStore<T>& store = down ? channel.down_state : channel.state;
    memory.push_back({down, parameter, std::string(vector.name), store.Read(parameter, vector.name), number});
  });
  return memory;
}

template <typename T>
void LoadVectors(Channel<T>& channel, const std::vector<SavedVector<T>>& memory) {
  channel.ForgetMemory();
  for (const SavedVector<T>& saved : memory) {
    StateStore<T>& store = saved.down ? channel.down_state : channel.state;
    store.Write(saved.parameter, saved.name, saved.values);
    if (channel.LiesWithOwners(saved.down, FindLinkVector(saved.name).holder))
      channel.KeepOwned(saved.parameter, store.Vector(saved.parameter, saved.name));
  }
}

#define GRADWIRE_INSTANTIATE(T)                                                      \
  template std::vector<SavedVector<T>> SaveVectors(const Channel<T>&, uint32_t);     \
  template void CheckVectors(const Channel<T>&, const std::vector<SavedVector<T>>&); \
  template void LoadVectors(Channel<T>&, const std::vector<SavedVector<T>>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
