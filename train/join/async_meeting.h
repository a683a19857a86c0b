// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "gradwire/c10d_group.h"
#include "train/config/config.h"
#include "train/data/dataset.h"

namespace gradwire::train {

// How a worker finds the server of an asynchronous run: through the job's store, in which arrivals are numbered from 1.

/// What a worker learns from the server when they meet.
struct Welcome {
  uint32_t worker = 0;                  ///< its number: its rank where the launcher started it
  uint64_t token = 0;                   ///< the run's, in every frame
  std::chrono::milliseconds timeout{};  ///< the server's, which says how often quiet connections are tried
};

/// What says whether two processes have the same images.
std::string DataText(const Dataset& data);

/// What a worker must share with the server: the settings, and the data, of which they draw the same jobs.
std::string MeetingText(const Config& config, const Dataset& data);

/// The prefix of the connection with a worker.
std::string PairPrefix(uint32_t worker);

/// At a worker, first of all: throws ConfigError where rank 0 is no server, PeerError where it does not come within the
/// timeout.
void FindServer(const Membership& member);

/// At a worker: says that it is there, and waits for the answer. `rank`: -1 for one that joins. `settings`: by
/// MeetingText. Throws ConfigError where the server refuses it, Error where there is no answer within the timeout.
Welcome Arrive(const Membership& member, int rank, const std::string& settings);

/// For a worker that cannot work, or at its launcher: leaves word, so that the server does not wait for it. Nothing
/// where it has come already. Throws nothing.
void ExcuseFrom(c10d::Store& store, int rank, const std::string& reason);

/// Whether the server has taken note of every arrival, and excuse, so far: one that is frozen does not. Throws nothing.
bool HasMetAll(c10d::Store& store);

/// At the server: answers arrivals. Not thread-safe; uses the store by itself alone.
class Meeting {
 public:
  struct Arrival {
    uint32_t worker = 0;
    std::string excuse = {};  ///< not empty: it will not come, and why
  };

  /// Ranks are below `world_size`; numbers of workers that join begin there. `all`: what every worker is told. An
  /// arrival that was announced and not made within `patience` is passed over: its worker died in between.
  Meeting(c10::intrusive_ptr<c10d::Store> store, int world_size, std::string settings, const Welcome& all,
          std::chrono::milliseconds patience = std::chrono::seconds(5));

  /// The next worker that has come, or a rank that will not, if any. Refuses on the way who has other settings or no
  /// place here. Throws without a store.
  std::optional<Arrival> Next();

 private:
  std::optional<Arrival> Answer(const std::string& arrival, const std::string& key);
  std::optional<Arrival> Excuse(int rank, const std::string& reason);
  bool IsHole();

  c10::intrusive_ptr<c10d::Store> store_;
  const std::string settings_;
  const Welcome all_;
  const std::chrono::milliseconds patience_;
  const int world_size_;
  uint32_t next_worker_;
  uint64_t next_arrival_ = 1;
  std::optional<std::chrono::steady_clock::time_point> hole_since_;
  std::set<int> ranks_;  // that have come, or will not
};

}  // namespace gradwire::train
