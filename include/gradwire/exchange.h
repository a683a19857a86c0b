// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gradwire/bucket.h"
#include "gradwire/collective.h"
#include "gradwire/compressor.h"
#include "gradwire/link.h"
#include "gradwire/participation.h"
#include "gradwire/piece.h"
#include "gradwire/prox.h"
#include "gradwire/round.h"
#include "gradwire/state_store.h"

namespace gradwire {

/// How messages travel. kAllGather: every rank sends its message to every other one and averages all n of them.
/// kSharded: every rank is the server of some pieces; it averages what all ranks send it, and sends the result, through
/// the down link, back to all. kAllReduce: what linear operators send is summed on the way.
enum class Topology { kAllGather, kSharded, kAllReduce };

/// The parts that an exchange is made of; method.h makes them from a CommConfig.
struct ExchangeParts {
  std::string method;  ///< whose parts they are, for people
  Link link;
  std::shared_ptr<const Compressor> compressor;
  /// Teaches a shift by messages of its own, so that the link is left with what the shift does not know (EC-*-DIANA):
  /// v - h + mean h goes through the link, and v - h through this one.
  std::shared_ptr<const Compressor> learner;
  Link learning;  ///< of the learner; unused without one
  Link down;      ///< of the way back; sharded only
  std::shared_ptr<const Compressor> down_compressor;
  Topology topology = Topology::kAllGather;
  /// A regulariser R: the result is then (x - prox_{lr R}(x - lr g)) / lr, the step of the proximal gradient method in
  /// units of a gradient, at the bucket's point x.
  Prox prox;
  /// Who sends compressed pieces on the way up; all do in dense rounds, and with pieces that travel dense anyway.
  Participation participation;
  /// The result is the sign of the sum of the workers' signs, 0 where it is tied. Votes are counted one by one, which
  /// is exact for up to 2^24 workers: means of +1/n and -1/n end beside 0. Without memory in the link only.
  bool votes = false;
  PieceRule piece = PieceRule::kFixed;
  size_t min_compress_numel = 0;  ///< smaller parameters travel dense in the same message
  bool compress_1d = true;        ///< otherwise 1-D parameters travel dense as well
  uint64_t start_iter = 0;        ///< steps before this one are dense all-reduces
  uint64_t seed = 0;              ///< of the operators' random bits; equal on all ranks
  /// A piece whose gradient is exactly zero was not used: nothing of it is sent, and error feedback keeps its memory.
  bool zeros_keep_memory = false;
  /// A non-finite element on any rank, in any bucket, leaves all memory of all ranks as it was before the step. Costs a
  /// copy of the memory a step. Without it only the element's own piece keeps its memory.
  bool poison_undoes_step = false;

  /// Whether what is delivered depends on the step sizes of the round.
  bool steps_inside() const { return link.step_inside || down.step_inside || prox; }
};

/// The probability of a dense round, one for the whole model: the link's for the first piece of the largest parameter,
/// by theory times the share of the workers that take part; 0 for links that have none.
double RefreshProbability(const ExchangeParts& parts, const std::vector<Parameter>& parameters, size_t workers);

/// Since construction, in seconds of the clock. `wire_s`: handing messages over and waiting for them, summed over
/// buckets that may wait at the same time.
struct ExchangeStats {
  uint64_t frame_bytes = 0;    ///< frames handed to the transport
  uint64_t payload_bytes = 0;  ///< payloads, and the transfers of all-reduces, handed to the transport
  double encode_s = 0, wire_s = 0, decode_s = 0;

  uint64_t bytes_sent() const { return frame_bytes + payload_bytes; }
  ExchangeStats& operator+=(const ExchangeStats& other);
  /// For checkpoints; `archive` as those of cereal. So are all functions of this name.
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(frame_bytes, payload_bytes, encode_s, wire_s, decode_s);
  }
};

template <typename T>
struct ExchangeCore;
template <typename T>
class Flight;

/// Turns each bucket into the mean over the ranks: link -> compressor -> frame -> collective -> decode -> mean, in that
/// order. The only place that names the whole arrow. T is float or double.
///
/// All ranks start the same buckets in the same order; several may be under way at once. Replicas stay bit-identical:
/// every rank decodes the same payloads, its own among them, in rank order. Identity over an all-reduce multiplies by
/// 1/n first and sums the whole bucket, as DDP does, and so gives DDP's bits.
///
/// Non-finite elements: a piece that holds one is sent as zeros and keeps its memory, and its frame is flagged; the
/// bucket is then NaN on all ranks. See also ExchangeParts::poison_undoes_step.
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

  /// Encodes a bucket of a round and hands it to the transport. Bucket and segments must stay until Finish returns.
  Id Start(const Round& round, const Bucket<T>& bucket);
  /// Waits for the peers' messages of that bucket and puts the mean into its values. Throws PeerError.
  void Finish(Id id);

  /// Finish in steps, for whoever has others wait: while there is a Pending wait, Await it and Advance.
  struct Wait {
    uint64_t operation, step;
    uint32_t bucket;
  };
  /// What the bucket waits for; none: it is finished.
  std::optional<Wait> Pending(Id id) const;
  /// Returns the seconds that it took. Any thread, beside one that uses the exchange. Throws PeerError.
  double Await(const Wait& wait);
  /// Goes on with the bucket after its wait, without waiting.
  void Advance(Id id, double waited_s);
  /// Ends all waits, those to come too, with an Error. Any thread.
  void Cancel();

  const std::vector<Parameter>& parameters() const;
  /// From the next bucket on, the elements of each parameter lie in this order, and so does its memory. Between two
  /// steps; all ranks call it alike. Throws ConfigError that names a parameter where the ranks' orders differ.
  void Arrange(const std::vector<ElementOrder>& orders);
  /// In total, and by the index of the bucket.
  ExchangeStats stats() const;
  const std::map<uint32_t, ExchangeStats>& bucket_stats() const;
  /// The links' memory on this rank, of the way up and of the way back. Touch it only between two steps.
  StateStore<T>& state();
  StateStore<T>& down_state();
  /// All memory as it is at the start: the next step opens the links. Between two steps.
  void ForgetMemory();
  /// For the functions of saved_memory.h, between two steps.
  ExchangeCore<T>& SettledCore();
  /// The step that comes next, after memory was loaded: the links that open with a dense message have done so if this
  /// is one behind their first.
  void GoOnAt(uint64_t step);

  /// Whether everything travels as it is in that step, the next one or one under way.
  bool IsDense(uint64_t step) const;
  /// For links of changes (Reference::kPrevious): the gradient of the round before, of this parameter, is `values`.
  /// With that of the coming round's own samples at the point of the round before, a change is of one batch. Between
  /// two steps. Throws Error where an element is not finite.
  void SetPrevious(uint32_t parameter, std::span<const T> values);

 private:
  std::unique_ptr<ExchangeCore<T>> core_;
  struct UnderWay;
  UnderWay& Find(Id id);

  Id next_ = 0;
  std::map<Id, UnderWay> flights_;
};

}  // namespace gradwire
