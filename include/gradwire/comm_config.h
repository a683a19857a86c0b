// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradwire {

/// The `comm:` section: how gradients cross the wire. The same names and meanings at every door (trainer, hook,
/// backend).
struct CommConfig {
  std::string method = "auto";      ///< a row of `gradwire list`, e.g. none, dcgd, ef; auto: ef
  std::string compressor = "auto";  ///< a compressor spec, e.g. sign, topk:1%, topk:5000; auto: the method's usual one
  std::string learner = "auto";     ///< spec of the operator that teaches a shift beside the link; none: no shift
  std::string down = "auto";        ///< link of the way back: none, raw, ef, dore; auto: the method's
  std::string down_compressor =
      "auto";                     ///< compressor spec of the way back; auto: the method's, else that of the way up
  std::string when = "auto";      ///< always, or pays: dense where that is faster; auto: see PaysIsAsked (pays.h)
  std::string topology = "auto";  ///< auto, allgather, sharded, allreduce or factors (of powersgd)
  std::string alpha = "auto";     ///< share of a message that moves the shift; auto: the method's
  std::string eta = "auto";       ///< share of the memory that joins a message (econtrol, dore); auto: the method's
  std::string beta = "auto";      ///< share of an owner's message that the model takes (dore); auto: the method's
  std::string zeta = "auto";      ///< how wrong an estimate may become before a lazy gate opens; auto: the method's
  std::string ema = "auto";       ///< b of the momentum v <- (1 - b) v + b g that is sent; 1: none; auto: the method's
  double noise = 0;  ///< standard deviation of Gaussian noise on every number that a worker sends (clip, identity)
  std::string opening = "auto";  ///< first message of a link with a shift: dense or compressed; auto: the method's
  std::string p =
      "auto";  ///< probability of a dense round (marina), or that a piece is sent (cbag); auto: the method's
  std::string participation = "auto";  ///< who sends in a round: see Participation; auto: the method's
  std::string aggregate = "mean";      ///< what receivers make of all messages: see Aggregate
  std::string piece = "fixed";         ///< fixed: 65,536 elements of one parameter; tensor: the whole parameter
  int64_t min_compress_numel = 1024;   ///< parameters with fewer elements travel dense in the same message
  bool compress_1d = false;            ///< whether 1-D parameters (biases, norms) are compressed as well
  int64_t start_iter = 0;              ///< the first start_iter steps are dense
  double bucket_cap_mb = 25;           ///< DDP's bucket size, MiB
  std::string threads = "auto";        ///< that encode and decode: auto, or a number; changes no bit
  double timeout_s = 300;              ///< seconds that any wait for a peer may take
};

/// What a run with noise says to whoever starts it.
inline constexpr std::string_view kNoiseNotice =
    "comm.noise simulates a private method and protects nobody: the noise is drawn from the seed, which every rank "
    "knows, and metrics and batch norm's statistics are sent without it";

/// Checks names, specs and whether the parts fit. Throws ConfigError that begins with the key ("comm.method: ...") and
/// says what was expected and the nearest choice that works.
void Check(const CommConfig& config);

}  // namespace gradwire
