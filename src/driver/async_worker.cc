// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "driver/async.h"

namespace gradwire {

template <typename T>
AsyncWorker<T>::AsyncWorker(Objective<T>& objective, const AsyncParts& parts, uint32_t worker, uint64_t token)
    : objective_(objective),
      up_(objective.parameters(), parts.up, static_cast<int>(worker), token),
      down_(objective.parameters(), parts.down, static_cast<int>(worker), token),
      flat_(up_.numel()) {}

template <typename T>
std::vector<std::byte> AsyncWorker<T>::Compute(std::span<const std::byte> model, double lr) {
  std::span<const T> x = down_.Unpack(model);
  for (const std::span<T> part : objective_.parameter_values()) {
    std::ranges::copy(x.first(part.size()), part.begin());
    x = x.subspan(part.size());
  }
  const Round round{sent_, lr};
  KeepSink<T> own;
  objective_.Gradient(round, own);
  auto at = flat_.begin();
  for (const std::span<T> part : objective_.gradient()) at = std::ranges::copy(part, at).out;
  return up_.Pack(sent_++, lr, flat_);
}

template class AsyncWorker<float>;
template class AsyncWorker<double>;

}  // namespace gradwire
