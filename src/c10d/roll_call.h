// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "c10d/bounded_store.h"
#include "collective/group.h"

namespace gradwire {

/// Finds out, through the job's store, which rank is to blame for a failure, so that all survivors name the same one.
/// A rank that waits itself, for whatever, is never to blame: it answers. All collectives of a job share one roll call,
/// and each group of its ranks has one of its own, so that what fails in it concerns its members alone.
/// Thread-safe; no call takes longer than a few seconds and its patience, nor throws.
class RollCall {
 public:
  explicit RollCall(const Membership& member);
  /// That of a group: `member` says this rank's place in it, `key` is the same at its members and at no other group.
  std::shared_ptr<RollCall> OfGroup(const Membership& member, Group group, const std::string& key);

  int rank() const { return rank_; }
  int size() const { return size_; }
  std::string Name(int rank) const { return group_.NameRank(rank); }
  std::string Names(const std::vector<int>& ranks) const { return group_.NameRanks(ranks); }
  const Group& group() const { return group_; }

  /// The first rank that anyone blamed; `suspect` becomes it where there is none yet. Returns `suspect` where the store
  /// cannot be reached any more, and the rank that serves it where that is silent.
  int Blame(int suspect);

  /// About once a second for a rank that waits: answers where another one calls, in this or in any other roll call of
  /// this rank. Whether anyone has blamed a rank in this one.
  bool Answer();

  /// For a wait that ended without a suspect: calls, and blames the lowest rank that has not answered within
  /// `patience`. -1 where all answer.
  int FindMissing(std::chrono::milliseconds patience);
  /// With the patience for five of the looks that a waiting rank makes: 5 s, or less where the timeout is below 4 s.
  int FindMissing() { return FindMissing(patience_); }

  /// FindMissing, but for a job of two ranks, of which the other one is meant; one of a group may wait elsewhere.
  int FindSilent() { return size_ == 2 && group_.is_job() ? 1 - rank_ : FindMissing(); }

  /// That `suspect` (-1: none) did `what` ("is gone"), or the rank that was blamed before.
  PeerError Verdict(int suspect, const std::string& what, const std::string& detail);

 private:
  struct Family;
  friend std::shared_ptr<RollCall> RollCallOf(const Membership& member);
  RollCall(const RollCall& of, const Membership& member, Group group, const std::string& key);
  void Report();
  void ReportElsewhere();

  bool Has(const std::string& key) { return store_->check({key}); }
  void Mark(const std::string& key) { store_->set(key, std::vector<uint8_t>{1}); }

  const c10::intrusive_ptr<c10d::Store> job_store_;  // held, since RollCallOf knows this object by the store's address
  c10::intrusive_ptr<c10d::Store> store_;            // over a connection of its own: others may be waiting on the job's
  const int rank_, size_, store_rank_;
  const std::chrono::milliseconds patience_;
  const Group group_;
  const std::shared_ptr<Family> family_;
};

/// The roll call of this rank of the job: the same for all that are made of the same store.
std::shared_ptr<RollCall> RollCallOf(const Membership& member);

}  // namespace gradwire
