// SPDX-License-Identifier: Apache-2.0
#include "gradwire/state_store.h"

namespace gradwire {

template <typename T>
StateStore<T>::StateStore(const std::vector<Parameter>& parameters)
    : parameters_(&parameters), vectors_(parameters.size()) {
  for (const Parameter& parameter : parameters) orders_.push_back(parameter.order);
}

template <typename T>
std::span<T> StateStore<T>::Vector(uint32_t parameter, std::string_view name) {
  auto& named = vectors_.at(parameter);
  auto found = named.find(name);
  if (found == named.end())
    found = named.emplace(name, Memory{std::vector<T>((*parameters_)[parameter].numel()), {}, 0}).first;
  Memory& memory = found->second;
  if (memory.mark != mark_) {
    memory.before = memory.now;
    memory.mark = mark_;
  }
  return memory.now;
}

template <typename T>
void StateStore<T>::SetOrder(uint32_t parameter, const ElementOrder& order) {
  if (orders_.at(parameter) == order) return;
  for (auto& [name, memory] : vectors_[parameter])
    for (std::vector<T>* values : {&memory.now, &memory.before}) Rearrange(parameter, order, *values);
  orders_[parameter] = order;
}

template <typename T>
void StateStore<T>::Rearrange(uint32_t parameter, const ElementOrder& to, std::vector<T>& values) const {
  if (values.empty()) return;  // of what Mark has not kept yet
  std::vector<T> rearranged(values.size());
  gradwire::Rearrange<T>((*parameters_)[parameter].shape, orders_[parameter], values, to, rearranged);
  values.swap(rearranged);
}

template <typename T>
std::vector<T> StateStore<T>::Read(uint32_t parameter, std::string_view name) const {
  std::vector<T> values = vectors_.at(parameter).find(name)->second.now;
  if (!orders_[parameter].empty()) Rearrange(parameter, {}, values);
  return values;
}

template <typename T>
void StateStore<T>::Write(uint32_t parameter, std::string_view name, std::span<const T> rows) {
  gradwire::Rearrange<T>((*parameters_)[parameter].shape, {}, rows, orders_[parameter], Vector(parameter, name));
}

template <typename T>
void StateStore<T>::ForEach(
    const std::function<void(uint32_t parameter, std::string_view name, std::span<const T>)>& look) const {
  for (uint32_t parameter = 0; parameter < vectors_.size(); ++parameter)
    for (const auto& [name, memory] : vectors_[parameter]) look(parameter, name, memory.now);
}

template <typename T>
void StateStore<T>::Clear() {
  for (auto& named : vectors_) named.clear();
}

template <typename T>
void StateStore<T>::GoBack() {
  if (mark_ == 0) return;
  for (auto& named : vectors_) {
    for (auto& [name, memory] : named) {
      if (memory.mark != mark_) continue;
      memory.now.swap(memory.before);
      memory.mark = mark_ - 1;  // the next use keeps it once more
    }
  }
}

template <typename T>
double StateStore<T>::SquaredNorm(std::string_view name) const {
  double sum = 0;
  for (const auto& named : vectors_) {
    const auto found = named.find(name);
    if (found == named.end()) continue;
    for (const T x : found->second.now) sum += static_cast<double>(x) * static_cast<double>(x);
  }
  return sum;
}

template class StateStore<float>;
template class StateStore<double>;

}  // namespace gradwire
