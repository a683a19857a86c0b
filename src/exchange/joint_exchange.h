// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "gradwire/bucket.h"
#include "gradwire/exchange_parts.h"
#include "gradwire/round.h"
#include "gradwire/scratch.h"
#include "gradwire/state_store.h"

namespace gradwire {

template <typename T>
struct JointChannel;

/// Writes a rank's vector, all of it.
template <typename T>
using MakeVector = std::function<void(size_t rank, std::span<T> out)>;

/// The exchange of ranks that are all in this process, many convex workers among them: links, operators, topologies,
/// random bits and bytes are those of an Exchange of each, and so is every bit of what is delivered and remembered.
/// What all of them would decode alike is decoded once, and what receivers hold is kept once: time and memory are
/// linear in their number. T is float or double.
///
/// Poisoned steps are not undone (ExchangeParts::poison_undoes_step), and parameters lie in the order of their
/// indices: both are for networks. Threads: one at a time.
template <typename T>
class JointExchange {
 public:
  /// `threads`: that pack messages, this one among them. Throws ConfigError where the parts do not fit, Error where
  /// they are not for it.
  JointExchange(uint32_t ranks, size_t threads, std::vector<Parameter> parameters, ExchangeParts parts);
  ~JointExchange();
  JointExchange(const JointExchange&) = delete;
  JointExchange& operator=(const JointExchange&) = delete;

  /// As those of Exchange.
  void Open(uint32_t channel, std::vector<Parameter> parameters, ExchangeParts parts);
  void Open(uint32_t channel);

  /// One bucket of each rank, by rank, all of the same index and segments: each becomes the mean.
  void Exchange(const Round& round, std::span<const Bucket<T>> buckets);
  /// The same once, until the next call; the buckets keep their values, but where messages are summed on the way.
  std::span<const T> Mean(const Round& round, std::span<const Bucket<T>> buckets);
  /// The same of vectors that `make` writes, each by the thread that packs it at once and into memory of that thread,
  /// so that it stays in a core's cache and no rank keeps one. Of a channel of one parameter, over allgather.
  std::span<const T> MeanOf(const Round& round, const MakeVector<T>& make);

  /// The links' memory of a rank as a sender, and of all as receivers. Touch it only between two steps.
  StateStore<T>& state(uint32_t channel, size_t rank);
  StateStore<T>& receivers_state(uint32_t channel);

  /// act(rank) once for each rank, by several threads.
  void ForRanks(const std::function<void(size_t rank)>& act);

  uint32_t ranks() const { return ranks_; }
  /// What a rank of so many would have sent; times are not measured.
  const ExchangeStats& stats(size_t rank) const { return stats_.at(rank); }
  /// As those of Exchange.
  void ForgetMemory();
  void GoOnAt(uint64_t step);
  /// For the functions of joint_memory.h.
  std::map<uint32_t, std::unique_ptr<JointChannel<T>>>& channels() { return channels_; }

 private:
  JointChannel<T>& In(uint32_t channel);

  const uint32_t ranks_;
  const size_t threads_;
  Lane lane_;
  std::vector<ExchangeStats> stats_;  // by rank
  std::map<uint32_t, std::unique_ptr<JointChannel<T>>> channels_;
  std::vector<T> mean_;
};

}  // namespace gradwire
