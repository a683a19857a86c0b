// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/rank_env.h"
#include "gradwire/c10d_init.h"
#include "train/launch/notes.h"

namespace gradwire::train {

/// Serves a TCPStore on a free port of 127.0.0.1, and of no other address, for the ranks that RunLocalRanks starts.
class StoreServer {
 public:
  StoreServer();
  int port() const { return port_; }
  c10d::Store& store() const { return *store_; }

 private:
  c10::intrusive_ptr<c10d::Store> store_;
  int port_;
};

/// The ranks of the job; the group is DDP's own.
struct World : Job {
  RankEnv env;
  std::unique_ptr<Collective> metrics_collective;  ///< for metrics and buffers; the main thread's
  Membership workers = {};                         ///< of an asynchronous server: where its workers reach it
};

/// Joins the other ranks, within the timeout. `settings`: by RankSettingsText, or nothing. Throws Error, or ConfigError
/// with the difference where another rank has other settings.
World JoinWorld(const RankEnv& env, double timeout_s, const std::string& settings = "");

/// A job of this process alone, on a store of its own: for what needs ranks and has none.
World AloneWorld(double timeout_s);

/// An AloneWorld whose workers reach it through the job's store. `settings`: as above.
World ServerWorld(const RankEnv& env, double timeout_s, const std::string& settings);

/// Notes of the ranks of a world, which outlives them, in the job's store.
class StoreNotes final : public Notes {
 public:
  explicit StoreNotes(const World& world) : world_(world) {}
  void Leave(const std::string& key, const std::string& text) override;
  std::optional<std::string> Read(const std::string& key) override;

 private:
  [[noreturn]] void Lost(const std::exception& error) const;

  const World& world_;
};

/// After a failure of this process's rank, before it ends: tells the others through the job's store that it needs them
/// no more. Where it serves the store itself, waits first, a few seconds at most, until the other ranks have said so:
/// they read there who is to blame. `blamed`: who will not. Throws nothing.
void LeaveAfterFailure(int blamed);

/// Keeps the membership of what has joined the job without a World until the process ends, for LeaveAfterFailure.
void KeepJob(const Membership& member);

/// Waits until every rank has called it, so that no rank closes connections which another one still uses. Bounded by
/// the timeout; a rank that is gone by then is none of its concern.
void Leave(const World& world);

}  // namespace gradwire::train
