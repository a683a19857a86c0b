// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "gradwire/exchange_parts.h"
#include "gradwire/purpose.h"
#include "message/saved_vector.h"

namespace gradwire {

/// One end of a link between two, for drivers that exchange nothing in rounds: the sender packs a vector into a
/// message, and the receiver, whose end was made with the same arguments, takes from it what the link delivers. The
/// same frames, links and operators as an Exchange's, with the same checks. T is float or double. Not thread-safe.
template <typename T>
class LinkEnd {
 public:
  /// `worker`: whose link it is, at both ends. `token`: the job's, in every frame. `purpose`: of the operators' random
  /// bits, for two links of one worker that must not draw the same ones.
  LinkEnd(std::vector<Parameter> parameters, ExchangeParts parts, int worker, uint64_t token,
          Purpose purpose = Purpose::kCompress);
  ~LinkEnd();
  LinkEnd(LinkEnd&&) noexcept;

  /// The message about `values`, all parameters one after another. Messages of a sender are numbered 0, 1, ... Throws
  /// Error for a non-finite element.
  std::vector<std::byte> Pack(uint64_t number, double lr, std::span<const T> values);
  /// The delivered vector, into `values`. Throws PeerError for bytes that cannot be believed.
  void Unpack(uint64_t number, double lr, std::span<const std::byte> message, std::span<T> values);

  size_t numel() const;
  /// Bytes that the message of that number has at most.
  size_t MostBytes(uint64_t number);
  /// The squared norm of the link's memory of that name; 0 where it has none. See StateStore.
  double SquaredMemoryNorm(std::string_view slot) const;
  /// Bytes of the messages that were packed here, and seconds spent on packing and unpacking.
  const ExchangeStats& stats() const;

  /// What the messages so far have left at this end, for one made alike to go on with the next message.
  struct Memory {
    std::vector<SavedVector<T>> vectors;
    ExchangeStats stats;

    template <typename Archive>
    void serialize(Archive& archive) {
      archive(vectors, stats);
    }
  };
  Memory Save() const;
  /// Throws Error where a vector is not of its parameter's size.
  void Load(const Memory& memory);

  template <typename Archive>
  void save(Archive& archive) const {
    archive(Save());
  }
  template <typename Archive>
  void load(Archive& archive) {
    Memory memory;
    archive(memory);
    Load(memory);
  }

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace gradwire
