// SPDX-License-Identifier: Apache-2.0
#include "gradwire/state_store.h"

#include <algorithm>

namespace gradwire {

template <typename T>
StateStore<T>::StateStore(const std::vector<Parameter>& parameters, size_t rank)
    : parameters_(&parameters), rank_(rank), vectors_(parameters.size()) {
  for (const Parameter& parameter : parameters) orders_.push_back(parameter.order);
}

template <typename T>
typename StateStore<T>::Handle StateStore<T>::HandleOf(std::string_view name) {
  const auto found = handles_.find(name);
  if (found != handles_.end()) return found->second;
  names_.emplace_back(name);
  return handles_.emplace(name, handles_.size()).first->second;
}

template <typename T>
std::vector<int64_t> StateStore<T>::ShapeOf(uint32_t parameter, std::string_view name) const {
  std::vector<int64_t> shape = (*parameters_)[parameter].shape;
  if (name != kQuery || shape.empty() || shape[0] == 0) return shape;
  const int64_t cols = static_cast<int64_t>((*parameters_)[parameter].numel()) / shape[0];
  shape[0] = std::min({static_cast<int64_t>(rank_), shape[0], cols});
  return shape;
}

template <typename T>
size_t StateStore<T>::NumelOf(uint32_t parameter, std::string_view name) const {
  return name == kQuery ? Parameter{"", ShapeOf(parameter, name)}.numel() : (*parameters_)[parameter].numel();
}

template <typename T>
std::span<T> StateStore<T>::Vector(uint32_t parameter, Handle handle) {
  auto& vectors = vectors_.at(parameter);
  if (handle >= vectors.size()) vectors.resize(handles_.size());
  Memory& memory = vectors.at(handle);
  if (!memory.exists) memory = {true, Values(NumelOf(parameter, names_[handle])), {}, 0};
  if (memory.mark != mark_) {
    memory.before = memory.now;
    memory.mark = mark_;
  }
  return memory.now;
}

template <typename T>
const typename StateStore<T>::Memory* StateStore<T>::Find(uint32_t parameter, std::string_view name) const {
  const auto found = handles_.find(name);
  const auto& vectors = vectors_.at(parameter);
  if (found == handles_.end() || found->second >= vectors.size()) return nullptr;
  const Memory& memory = vectors[found->second];
  return memory.exists ? &memory : nullptr;
}

template <typename T>
void StateStore<T>::SetOrder(uint32_t parameter, const ElementOrder& order) {
  if (orders_.at(parameter) == order) return;
  for (Handle handle = 0; handle < vectors_[parameter].size(); ++handle) {
    const std::vector<int64_t> shape = ShapeOf(parameter, names_[handle]);
    Memory& memory = vectors_[parameter][handle];
    for (Values* values : {&memory.now, &memory.before}) Rearrange(shape, orders_[parameter], order, *values);
  }
  orders_[parameter] = order;
}

template <typename T>
void StateStore<T>::Rearrange(std::span<const int64_t> shape, const ElementOrder& from, const ElementOrder& to,
                              Values& values) const {
  if (values.empty()) return;  // the vector was not used since Mark: there is no copy of it
  Values rearranged(values.size());
  gradwire::Rearrange<T>(shape, from, values, to, rearranged);
  values.swap(rearranged);
}

template <typename T>
std::vector<T> StateStore<T>::Read(uint32_t parameter, std::string_view name) const {
  const Values& now = Find(parameter, name)->now;
  if (orders_[parameter].empty()) return {now.begin(), now.end()};
  std::vector<T> rows(now.size());
  gradwire::Rearrange<T>(ShapeOf(parameter, name), orders_[parameter], now, {}, rows);
  return rows;
}

template <typename T>
void StateStore<T>::Write(uint32_t parameter, std::string_view name, std::span<const T> rows) {
  gradwire::Rearrange<T>(ShapeOf(parameter, name), {}, rows, orders_[parameter], Vector(parameter, name));
}

template <typename T>
void StateStore<T>::ForEach(
    const std::function<void(uint32_t parameter, std::string_view name, std::span<const T>)>& visit) const {
  for (uint32_t parameter = 0; parameter < vectors_.size(); ++parameter)
    for (const auto& [name, handle] : handles_)
      if (const Memory* memory = Find(parameter, name)) visit(parameter, name, memory->now);
}

template <typename T>
void StateStore<T>::Clear() {
  for (auto& vectors : vectors_) vectors.clear();
}

template <typename T>
void StateStore<T>::GoBack() {
  if (mark_ == 0) return;
  for (auto& vectors : vectors_) {
    for (Memory& memory : vectors) {
      if (!memory.exists || memory.mark != mark_) continue;
      memory.now.swap(memory.before);
      memory.mark = mark_ - 1;  // as if it had not been used: the next use makes a copy again
    }
  }
}

template <typename T>
double StateStore<T>::SquaredNorm(std::string_view name) const {
  double sum = 0;
  for (uint32_t parameter = 0; parameter < vectors_.size(); ++parameter)
    if (const Memory* memory = Find(parameter, name))
      for (const T x : memory->now) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

template class StateStore<float>;
template class StateStore<double>;

}  // namespace gradwire
