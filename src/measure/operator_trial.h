// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gradwire/compressor.h"
#include "measure/memory.h"

namespace gradwire {

/// An operator at work on one vector of float32, cut into pieces as an exchange cuts it, with a payload for each of
/// several workers: what is timed, and checked, of it. One thread uses it.
class OperatorTrial {
 public:
  /// Throws ConfigError for a spec that is none.
  OperatorTrial(const std::string& spec, size_t numel, size_t workers);

  const Compressor& compressor() const { return *compressor_; }

  /// From now on random bits are those of the next step. Payloads that are decoded together are of one step.
  void NextStep() { ++step_; }
  /// Encodes `v`, of numel elements, as that worker's payload.
  void Encode(size_t worker, std::span<const float> v);
  /// The same with error feedback: of v + residual, which becomes what is left out of it. In place.
  void EncodeWithFeedback(size_t worker, std::span<const float> v, std::span<float> residual);
  /// Forgets what the operator may keep between two encodes, so that the next one is as a first step's.
  void Forget() { lane_ = std::make_unique<Lane>(); }
  /// out = the mean of the first `count` workers' payloads, which must have been encoded.
  void Decode(size_t count, std::span<float> out);

  /// The payload's pieces side by side.
  std::vector<std::byte> PayloadOf(size_t worker) const;
  size_t PayloadBytes(size_t worker) const;

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  struct Message {
    std::vector<Line> memory;
    std::vector<size_t> bytes;  // of each piece
  };

  void EncodeTo(size_t worker, std::span<const float> v, std::span<float> residual);
  Payload PieceOf(size_t worker, size_t piece) const;

  std::shared_ptr<const Compressor> compressor_;
  std::vector<Site> sites_;
  std::vector<size_t> places_;  // the line where each piece's payload begins
  std::vector<Message> messages_;
  std::vector<float> weights_;
  std::vector<Payload> payloads_;
  uint64_t step_ = 0;
  std::unique_ptr<Lane> lane_ = std::make_unique<Lane>();
};

}  // namespace gradwire
