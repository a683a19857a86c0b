// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <vector>

#include "gradwire/bucket.h"
#include "gradwire/collective.h"
#include "gradwire/exchange_parts.h"
#include "gradwire/round.h"
#include "gradwire/state_store.h"

namespace gradwire {

template <typename T>
struct ExchangeCore;
template <typename T>
class BucketExchange;

/// What a bucket under way waits for: an operation of the collective, and whose it is.
struct BucketWait {
  uint64_t operation = 0;
  BucketPlace place;
};

/// Turns each bucket into the mean over the ranks: link -> compressor -> frame -> collective -> decode -> mean, in that
/// order. The only place that names the whole arrow. T is float or double.
///
/// All ranks start the same buckets in the same order; several may be under way at once. Replicas stay bit-identical:
/// every rank decodes the same payloads, its own among them, in rank order. Identity over an all-reduce multiplies by
/// 1/n first and sums the whole bucket, as DDP does, and so gives DDP's bits.
///
/// Non-finite elements: the block of 1,024 that holds one counts as zeros (see Compressor::Encode; for links that keep
/// v itself its piece is sent as zeros and keeps its memory), and the frame is flagged; the bucket is then NaN on all
/// ranks. See also ExchangeParts::poison_undoes_step.
///
/// Threads: one at a time (ExchangeThread is that thread for a DDP) for all but Await and Cancel.
template <typename T>
class Exchange {
 public:
  using Id = uint64_t;

  /// Agrees with the other ranks on settings and parameters; throws ConfigError with the difference where they differ.
  /// `collective` must outlive the last Start and Finish. After a failure destroy it before the exchange and before the
  /// buckets' memory: until then it may still write into them.
  Exchange(Collective& collective, std::vector<Parameter> parameters, ExchangeParts parts);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Another vector that is exchanged beside the gradient, which is channel 0: its rounds name the channel, and have
  /// parts, memory and plans of their own. Rounds of different channels may be under way together. Between two steps;
  /// all ranks call it alike, and agree as at construction. Throws Error where the channel is open already, or 128 or
  /// more.
  void Open(uint32_t channel, std::vector<Parameter> parameters, ExchangeParts parts);
  /// With the parameters and parts of channel 0.
  void Open(uint32_t channel);

  /// Elements that all buckets of a round have together, where the operator must be shown them before one is started
  /// (clipping by the global norm); 0: it need not.
  size_t NumelToGather(const Round& round) const;
  /// Shows them, all buckets of a round, their values fetched.
  void ShowModel(const Round& round, std::span<const Bucket<T>> buckets);

  /// Encodes a bucket of a round and hands it to the transport. Bucket and segments must stay until Finish returns.
  Id Start(const Round& round, const Bucket<T>& bucket);
  /// Waits for the peers' messages of that bucket and puts the mean into its values. Throws PeerError.
  void Finish(Id id);

  /// Finish in steps, for whoever has others wait: while there is a Pending wait, Await it and Advance.
  using Wait = BucketWait;
  /// What the bucket waits for; none: it is finished.
  std::optional<Wait> Pending(Id id) const;
  /// Returns the seconds that it took. Any thread, beside one that uses the exchange. Throws PeerError.
  double Await(const Wait& wait);
  /// Goes on with the bucket after its wait, without waiting.
  void Advance(Id id, double waited_s);
  /// Whether no bucket may be started before the one before it has finished: where a bucket's sums follow one another,
  /// ranks could start those of two buckets in different orders, and sums have no names but their order.
  bool takes_turns() const;
  /// Bytes of the messages of all buckets under way.
  size_t BytesUnderWay() const;
  /// Ends all waits, those to come too, with an Error. Any thread.
  void Cancel();

  const std::vector<Parameter>& parameters() const;  ///< of channel 0
  /// From the next bucket of channel 0 on, the elements of each parameter lie in this order, and so does its memory.
  /// Between two steps; all ranks call it alike. Throws ConfigError that names a parameter where the ranks' orders
  /// differ.
  void Arrange(const std::vector<ElementOrder>& orders);
  /// What was sent in total, and by the index of the bucket.
  ExchangeStats stats() const;
  const std::map<uint32_t, ExchangeStats>& bucket_stats() const;
  /// The links' memory on this rank, of the way up and of the way back. Touch it only between two steps.
  StateStore<T>& state(uint32_t channel = 0);
  StateStore<T>& down_state(uint32_t channel = 0);
  /// All memory of all channels as it is at the start: the next step opens the links. Between two steps.
  void ForgetMemory();
  /// For the functions of saved_memory.h, between two steps.
  ExchangeCore<T>& SettledCore();
  /// The step that comes next, after memory was loaded: the links that open with a dense message have done so if this
  /// is one behind their first.
  void GoOnAt(uint64_t step);

  /// Whether everything in that channel travels as it is in that step, the next one or one under way.
  bool IsDense(uint64_t step, uint32_t channel = 0) const;
  /// For links of changes (Reference::kPrevious) in channel 0: the gradient of the round before, of this parameter, is
  /// `values`. With that of the coming round's own samples at the point of the round before, a change is of one batch.
  /// Between two steps. Throws Error where an element is not finite.
  void SetPrevious(uint32_t parameter, std::span<const T> values);

 private:
  std::unique_ptr<ExchangeCore<T>> core_;
  struct UnderWay;
  UnderWay& Find(Id id);
  void Note(Id id, const std::optional<uint64_t>& operation);

  Id next_ = 0;
  std::pmr::map<Id, UnderWay> under_way_;
};

}  // namespace gradwire
