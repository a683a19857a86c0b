// SPDX-License-Identifier: Apache-2.0
#include "driver/model_link.h"

#include "gradwire/method.h"

namespace gradwire {

template <typename T>
ModelLink<T>::ModelLink(const std::vector<Parameter>& parameters, const ExchangeParts& down, int worker, uint64_t token)
    : is_identity_(down.compressor->is_identity()),
      whole_(parameters, MakeParts({.method = "none", .compressor = "identity"}, 0), worker, token),
      difference_(parameters, down, worker, token, Purpose::kDown),
      change_(is_identity_ ? 0 : whole_.numel()) {}

template <typename T>
std::vector<std::byte> ModelLink<T>::Pack(std::span<const T> x) {
  if (IsWhole()) {
    if (!is_identity_) copy_.assign(x.begin(), x.end());
    return whole_.Pack(number_++, 1, x);
  }
  for (size_t i = 0; i < copy_.size(); ++i) change_[i] = x[i] - copy_[i];
  const std::vector<std::byte> message = difference_.Pack(number_, 1, change_);
  Unpack(message);  // what the worker will make of it
  return message;
}

template <typename T>
std::span<const T> ModelLink<T>::Unpack(std::span<const std::byte> message) {
  if (IsWhole()) {
    copy_.resize(whole_.numel());
    whole_.Unpack(number_++, 1, message, copy_);
    return copy_;
  }
  difference_.Unpack(number_++, 1, message, change_);
  for (size_t i = 0; i < copy_.size(); ++i) copy_[i] += change_[i];
  return copy_;
}

template class ModelLink<float>;
template class ModelLink<double>;

}  // namespace gradwire
