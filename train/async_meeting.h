// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "gradwire/c10d_group.h"

namespace gradwire::train {

// How a worker finds the server of an asynchronous run: through the job's store, in which arrivals are numbered from 1.

/// What a worker is told.
struct Welcome {
  uint32_t worker = 0;  ///< its number: its rank where the launcher started it
  uint64_t token = 0;   ///< the run's, in every frame
};

/// The prefix of the connection with a worker.
std::string PairPrefix(uint32_t worker);

/// At a worker: says that it is there, and waits for the answer. `rank`: -1 for one that joins. `settings`: by
/// SettingsText. Throws ConfigError where the server refuses it, Error where there is no answer within the timeout.
Welcome Arrive(const Membership& member, int rank, const std::string& settings);

/// At a worker that cannot work: leaves word, so that the server does not wait for it. Throws nothing.
void ExcuseFrom(const Membership& member, int rank, const std::string& reason);

/// At the server: answers arrivals. Not thread-safe; uses the store by itself alone.
class Meeting {
 public:
  struct Arrival {
    uint32_t worker = 0;
    std::string excuse = {};  ///< not empty: it will not come, and why
  };

  /// Numbers of workers that join begin at `world_size`.
  Meeting(c10::intrusive_ptr<c10d::Store> store, int world_size, std::string settings, uint64_t token);

  /// The next worker that has come, if any; those of other settings are refused on the way. Throws Error without a store.
  std::optional<Arrival> Next();

 private:
  std::optional<Arrival> Answer(const std::string& arrival, const std::string& key);

  c10::intrusive_ptr<c10d::Store> store_;
  const std::string settings_;
  const uint64_t token_;
  uint32_t next_worker_;
  uint64_t next_arrival_ = 1;
  std::set<int> ranks_;
};

}  // namespace gradwire::train
