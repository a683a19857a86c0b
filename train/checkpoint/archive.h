// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sstream>
#include <string>

#include <cereal/archives/binary.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

#include "base/snapshot_file.h"
#include "gradwire/error.h"

namespace gradwire::train {

/// The version of what classes list in their serialize, and of the links' memory, which lies row by row since 2. To be
/// raised with every change of one of them.
constexpr uint32_t kStateVersion = 3;
/// The same of states with messages under way. They are as they were sent, so that it grows with the wire format, too.
constexpr uint32_t kMessagesVersion = 4;

/// Puts what an object's serialize lists into an entry of a snapshot, in this machine's binary form.
template <typename State>
void PutState(Snapshot& file, const char* name, const State& state, uint32_t version = kStateVersion) {
  std::ostringstream stream;
  cereal::BinaryOutputArchive archive(stream);
  archive(version, state);
  const std::string bytes = stream.str();
  file.Put(name, std::span<const char>(bytes));
}

/// The way back, into an object made alike. Throws Error that names the file where the entry is not of such an object.
template <typename State>
void GetState(const Snapshot& file, const char* name, State& state, uint32_t expected = kStateVersion) {
  std::istringstream stream(file.Text(name));
  try {
    cereal::BinaryInputArchive archive(stream);
    uint32_t version = 0;
    archive(version);
    if (version != expected)
      throw Error(file.path() + ": '" + name + "' has layout " + std::to_string(version) + ", expected " +
                  std::to_string(expected) + ": it was saved by another version of gradwire");
    archive(state);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(file.path() + ": '" + name + "' is not what this version saves (" + error.what() + ")");
  }
  if (stream.peek() != std::istringstream::traits_type::eof())
    throw Error(file.path() + ": '" + name + "' is longer than what this version saves");
}

}  // namespace gradwire::train
