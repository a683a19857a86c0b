// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "message/link_end.h"

namespace gradwire {

/// The way from an asynchronous server to one of its workers: the worker's copy of the model follows the server's. With
/// the identity each message is the model. With another operator the first one is, and each later one is what the
/// operator makes of the difference between the model and the copy; what it leaves out is part of the next difference
/// (Gruntkowska et al. 2023, EF21-P, arXiv 2209.15218, algorithm 1). T is float or double. Not thread-safe.
template <typename T>
class ModelLink {
 public:
  /// `down`: the operator, and which parameters it takes; its link must be raw. `worker`: who receives, at both ends.
  ModelLink(const std::vector<Parameter>& parameters, const ExchangeParts& down, int worker, uint64_t token);

  /// At the server: the next message, of the model `x`, all parameters one after another.
  std::vector<std::byte> Pack(std::span<const T> x);
  /// At the worker: the copy after the next message. Throws PeerError for bytes that cannot be believed.
  std::span<const T> Unpack(std::span<const std::byte> message);

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(whole_, difference_, copy_, number_);
  }

 private:
  bool IsWhole() const { return is_identity_ || number_ == 0; }

  bool is_identity_;
  LinkEnd<T> whole_, difference_;
  std::vector<T> copy_, change_;
  uint64_t number_ = 0;
};

}  // namespace gradwire
