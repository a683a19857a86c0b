// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/aggregate.h"
#include "gradwire/compressor.h"
#include "gradwire/link.h"
#include "gradwire/parameter.h"
#include "gradwire/participation.h"
#include "gradwire/piece.h"
#include "gradwire/prox.h"

namespace gradwire {

/// The parts that an exchange is made of; method.h makes them from a CommConfig.
struct ExchangeParts {
  std::string method;  ///< whose parts they are, for people
  Link link;
  std::shared_ptr<const Compressor> compressor;
  /// Teaches a shift by messages of its own, so that the link is left with what the shift does not know (EC-*-DIANA):
  /// v - h + mean h goes through the link, and v - h through this one.
  std::shared_ptr<const Compressor> learner;
  Link learning;  ///< of the learner; unused without one
  Link down;      ///< of the way back, where pieces have owners
  std::shared_ptr<const Compressor> down_compressor;
  std::string_view topology = "allgather";  ///< how messages travel: a row of src/exchange/topologies.h
  /// A regulariser R: the result is then (x - prox_{lr R}(x - lr g)) / lr, the step of the proximal gradient method in
  /// units of a gradient, at the bucket's point x.
  Prox prox;
  /// Who sends compressed pieces on the way up; all do in dense rounds, and with pieces that travel dense anyway.
  Participation participation;
  /// What receivers make of the vectors of all senders. Other than the mean, it needs each of them by itself: over
  /// allgather and sharded, in rounds in which all send, of links without shifts.
  Aggregate aggregate;
  /// The result is the sign of the sum of the workers' signs, 0 where it is tied. Votes are counted one by one, which
  /// is exact for up to 2^24 workers: means of +1/n and -1/n end beside 0. Without memory in the link only.
  bool votes = false;
  PieceRule piece = PieceRule::kFixed;
  size_t min_compress_numel = 0;  ///< smaller parameters travel dense in the same message
  bool compress_1d = true;        ///< otherwise 1-D parameters travel dense as well
  /// A rank may say of a bucket that it sends nothing (Bucket::silent): the payloads are empty, both ends keep their
  /// memory, and receivers, who keep the mean of all shifts, count it with the others. With a shift, over allgather,
  /// and not in dense rounds.
  bool may_be_silent = false;
  uint64_t start_iter = 0;  ///< steps before this one are dense all-reduces
  uint64_t seed = 0;        ///< of the operators' random bits; equal on all ranks
  size_t threads = 1;       ///< that encode and decode; any number gives the same bits, so ranks may differ
  /// A piece whose gradient is exactly zero was not used: nothing of it is sent, and error feedback keeps its memory.
  bool zeros_keep_memory = false;
  /// A non-finite element on any rank, in any bucket, leaves all memory of all ranks as it was before the step. Costs a
  /// copy of the memory a step. Without it only the element's own piece keeps its memory.
  bool poison_undoes_step = false;
  /// How ExchangeStats::paper_bits are counted; null: not at all. Ranks may differ in it.
  const BitRule* count_as = nullptr;

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
  /// What a paper counts of this rank's messages on the way up (ExchangeParts::count_as): each once, whoever gets it,
  /// as a worker's to its server.
  uint64_t paper_bits = 0;

  uint64_t bytes_sent() const { return frame_bytes + payload_bytes; }
  ExchangeStats& operator+=(const ExchangeStats& other);
  /// For checkpoints; `archive` as those of cereal. So are all functions of this name.
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(frame_bytes, payload_bytes, encode_s, wire_s, decode_s, paper_bits);
  }
};

}  // namespace gradwire
