// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "gradwire/bucket.h"
#include "message/bucket_plan.h"
#include "message/message_context.h"

namespace gradwire {

/// What a rank keeps of one vector that is exchanged step after step: its parts, its memory and how its buckets become
/// messages. Knows which rank this is and of how many, and nothing that carries messages. Not thread-safe.
template <typename T>
class Channel {
 public:
  /// This rank is `rank` of `ranks`. `owners`: the ranks that serve pieces, all or none (PlanNeeds::owners).
  Channel(std::vector<Parameter> parameters, ExchangeParts parts, uint32_t rank, uint32_t ranks, int owners);
  /// For ranks that are all in this process, what receivers hold is the same on all of them, or lies with the owners:
  /// one channel has it for all, with the memory of the way back.
  struct Receivers {};
  Channel(Receivers, std::vector<Parameter> parameters, ExchangeParts parts, uint32_t ranks, int owners);
  /// The rest of one of those ranks: what it keeps as a sender. `receivers` outlives this.
  Channel(uint32_t rank, Channel& receivers);
  Channel(const Channel&) = delete;  // stores point to parameters

  const std::vector<Parameter> parameters;
  const ExchangeParts parts;
  const uint32_t rank, ranks;
  const int owners;
  StateStore<T> state;       ///< of this rank as a sender, and as a receiver of all pieces or of those that it owns
  StateStore<T> down_state;  ///< of the way back
  bool poisoned = false;     ///< whether a bucket of the step that the memory belongs to was poisoned
  /// The step that opens the links' shifts, with dense messages where they want it; none: the next one that goes
  /// through them.
  std::optional<uint64_t> opening;

  /// Whether the operator of the way up has to see all buckets of a round before it encodes one.
  bool sees_model() const { return sees_model_; }
  /// Squared L2 norm of what this rank would encode of a bucket. A piece that is not finite counts as zeros, as it is
  /// sent.
  double SquaredNorm(const Round& round, uint32_t bucket, std::span<const Segment> segments, std::span<const T> values,
                     Lane& lane);
  /// The norm of all that this rank encodes in the round is this.
  void SetNorm(const Round& round, double norm);
  /// Throws Error where the operator has to know it and does not.
  void CheckNorm(const Round& round) const;

  /// Messages of workers, and of owners on the way back.
  MessageContext<T> Up(bool dense, Lane& lane, Purpose purpose = Purpose::kCompress) const;
  MessageContext<T> Down(Lane& lane) const;

  /// Every vector that the links keep on this rank.
  void ForEachKept(const std::function<void(bool down, uint32_t parameter, const LinkVector&)>& visit) const;
  /// Zeros, of no step: a poisoned one before it undoes nothing any more.
  void ForgetMemory();
  /// Whether all pieces travel dense in this round: the first one of some links, and the refreshed ones of MARINA.
  bool IsDense(const Round& round) const;
  /// Takes back what a poisoned step did to the memory, where it shall be undone. Between two steps only.
  void UndoIfPoisoned();
  void BeginStep(uint64_t next);
  /// The step that comes next, after memory was loaded (Exchange::GoOnAt).
  void GoOnAt(uint64_t step);

  /// Whether a vector lies, piece by piece, with the owners of the pieces, and is zero elsewhere.
  bool LiesWithOwners(bool down, Holder holder) const { return owners > 0 && (holder == Holder::kReceiver) != down; }
  /// Zeroes the pieces of a vector of that kind that other ranks own. `values`: as they lie in buckets.
  void KeepOwned(uint32_t parameter, std::span<T> values) const;

  /// Replaced when a layout changes.
  std::shared_ptr<const BucketPlan> PlanOf(uint32_t bucket, std::span<const Segment> segments, bool dense);
  /// How many there were so far: it grows where a plan is made anew.
  uint64_t plans_made() const { return plans_made_; }

 private:
  enum class Keeps { kAll, kOfReceivers, kOfSenders };
  Channel(Keeps keeps, std::vector<Parameter> parameters, ExchangeParts parts, uint32_t rank, uint32_t ranks,
          int owners, Channel* receivers);
  /// All vectors that are kept, as zeros: what there is to save does not depend on the step.
  void MakeMemory();
  std::vector<LinkVector> KeptUp() const;
  std::vector<LinkVector> KeptDown() const;

  const Keeps keeps_;
  const bool sees_model_;
  std::shared_ptr<const Compressor> with_norm_;  // the operator of the way up in norm_step_; null: as it is
  uint64_t norm_step_ = ~uint64_t{0};
  const LinkHandles<T> up_memory_, down_memory_;
  std::map<std::pair<uint32_t, bool>, std::shared_ptr<const BucketPlan>> plans_;  // by bucket and whether dense
  uint64_t plans_made_ = 0;
  uint64_t step_ = ~uint64_t{0};  // that the memory belongs to
};

}  // namespace gradwire
