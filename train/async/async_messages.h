// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "gradwire/cost.h"
#include "gradwire/error.h"
#include "train/report/tally.h"

namespace gradwire::train {

// What a server and its workers send each other: a note, and what belongs to it. Little-endian, as the machines are.

/// A server's. With kJob comes the message about the model.
struct ServerNote {
  enum class Kind : uint64_t {
    kNothing,  ///< is still there, and expects kNothing back
    kJob,
    kStop  ///< the run is over: expects kBye
  } kind = Kind::kNothing;
  uint64_t number = 0;  ///< the job's, which says which images
  double lr = 0;
};

/// A worker's. With kGradient comes the message about it, with kFailed the reason.
struct WorkerNote {
  enum class Kind : uint64_t { kNothing, kGradient, kFailed, kBye } kind = Kind::kNothing;
  Tally tally = {};          ///< of the job's images
  double compute_s = 0;      ///< seconds that the job's gradient took
  double encode_s = 0;       ///< and its message
  double wait_s = 0;         ///< and the wait before the job
  double residual_norm = 0;  ///< ||e|| of its error feedback
};

/// Bytes of the longest message: no operator makes more of a float than this, positions and frames included.
inline size_t LongestMessage(const std::vector<Parameter>& parameters) {
  return 4 * sizeof(float) * Numel(parameters) + (1 << 20);
}

template <typename Note>
std::vector<std::byte> MakeMessage(const Note& note, std::span<const std::byte> body = {}) {
  std::vector<std::byte> message(sizeof(Note) + body.size());
  std::memcpy(message.data(), &note, sizeof(Note));
  if (!body.empty()) std::memcpy(message.data() + sizeof(Note), body.data(), body.size());
  return message;
}

template <typename Note>
struct ParsedMessage {
  Note note;
  std::span<const std::byte> body;  // of the message
};

template <typename Note>
ParsedMessage<Note> ParseMessage(std::span<const std::byte> message) {
  ParsedMessage<Note> parsed;
  if (message.size() < sizeof(Note))
    throw Error("a message has " + std::to_string(message.size()) + " bytes, expected at least " +
                std::to_string(sizeof(Note)) + ": do both ends run the same version of gradwire?");
  std::memcpy(&parsed.note, message.data(), sizeof(Note));
  parsed.body = message.subspan(sizeof(Note));
  return parsed;
}

}  // namespace gradwire::train
