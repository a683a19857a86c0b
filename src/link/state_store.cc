// SPDX-License-Identifier: Apache-2.0
#include "gradwire/state_store.h"

namespace gradwire {

template <typename T>
std::span<T> StateStore<T>::Vector(uint32_t parameter, std::string_view name) {
  auto& named = vectors_.at(parameter);
  const auto found = named.find(name);
  if (found != named.end()) return found->second;
  return named.emplace(name, std::vector<T>((*parameters_)[parameter].numel())).first->second;
}

template <typename T>
double StateStore<T>::SquaredNorm(std::string_view name) const {
  double sum = 0;
  for (const auto& named : vectors_) {
    const auto found = named.find(name);
    if (found == named.end()) continue;
    for (const T x : found->second) sum += static_cast<double>(x) * static_cast<double>(x);
  }
  return sum;
}

template class StateStore<float>;
template class StateStore<double>;

}  // namespace gradwire
