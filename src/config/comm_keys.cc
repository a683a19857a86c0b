// SPDX-License-Identifier: Apache-2.0
#include "config/comm_keys.h"

#include <fmt/format.h>

#include "compress/spec.h"
#include "exchange/topologies.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

template <typename T, typename Rule>
ConfigKey<CommConfig> Row(std::string_view name, T CommConfig::*field, Rule rule, std::string_view meaning) {
  return MakeConfigKey<CommConfig>(
      name, [=](auto&& config) -> auto& { return config.*field; }, rule, meaning);
}

std::vector<std::string> TopologyWords() {
  std::vector<std::string> words = {"auto"};
  for (const Topology& topology : Topologies()) words.emplace_back(topology.name);
  return words;
}

}  // namespace

const std::vector<ConfigKey<CommConfig>>& CommKeys() {
  using C = CommConfig;
  static const std::vector<ConfigKey<CommConfig>> keys = {
      Row("comm.method", &C::method, NotEmpty{}, "how gradients are sent: a row of `gradwire list`; auto: ef"),
      Row("comm.when", &C::when, OneOf{{"auto", "always", "pays"}},
          "always: as method and operators say; pays: so where that is faster than dense gradients on this link and "
          "this machine, which the ranks measure at start for about 3 s, and else as method none; a resumed run keeps "
          "the answer; auto: pays where neither a method nor an operator is named, else always"),
      Row("comm.compressor", &C::compressor, NotEmpty{},
          "compressor spec, e.g. sign, topk:1%, topk:5000; see `gradwire list`; auto: the method's usual one"),
      Row("comm.learner", &C::learner, NotEmpty{},
          "compressor spec of the shift that some methods learn beside their link; auto: the method's usual one"),
      Row("comm.down", &C::down, OneOf{{"auto", "none", "raw", "ef", "dore"}},
          "link of the way back from the owners of the pieces; auto: the method's"),
      Row("comm.down_compressor", &C::down_compressor, NotEmpty{},
          "compressor spec of the way back; auto: the method's, else that of the way up"),
      Row("comm.topology", &C::topology, OneOf{TopologyWords()},
          "how messages travel; auto: sharded with a way back, allreduce where messages can be summed, factors with "
          "method powersgd, else allgather"),
      Row("comm.alpha", &C::alpha, NotEmpty{}, "share of a message that moves the shift, 0 to 1; auto: the method's"),
      Row("comm.eta", &C::eta, NotEmpty{},
          "share of the memory that joins a message (econtrol, dore), 0 to 1; auto: the method's"),
      Row("comm.beta", &C::beta, NotEmpty{},
          "share of an owner's message that the model takes (dore), 0 to 1; auto: the method's"),
      Row("comm.zeta", &C::zeta, NotEmpty{},
          "how wrong an estimate may become, against the change of the gradient, before it is sent (lag, clag), from "
          "0; auto: the method's"),
      Row("comm.ema", &C::ema, NotEmpty{},
          "b of the momentum v <- (1 - b) v + b g that each worker sends in place of what it has, v starting at 0, "
          "above "
          "0 and up to 1; 1: none; in local mode of differences of models; auto: the method's"),
      Row("comm.noise", &C::noise, AtLeast(0),
          "standard deviation of Gaussian noise on every number of a gradient, or of a model's difference, that a "
          "worker "
          "sends (clip, identity); a simulation of differential privacy, since every rank knows the seed, and batch "
          "norm's statistics go without; a network needs comm.min_compress_numel 0 and comm.compress_1d true"),
      Row("comm.opening", &C::opening, OneOf{{"auto", "dense", "compressed"}},
          "first message of a link with a shift (in local mode that of the first agreement), which starts at what was "
          "sent; "
          "auto: the method's"),
      Row("comm.p", &C::p, NotEmpty{},
          "probability of a dense round (marina), or that a piece is sent (cbag), 0 to 1; auto: the method's"),
      Row("comm.participation", &C::participation, NotEmpty{},
          "who sends compressed pieces in a round that is not dense: all; iid:P%: P% of the workers, drawn with "
          "replacement; nice:P%: so many different ones; independent:P%,P%,...: each worker by itself with a "
          "probability "
          "of its own, repeated where workers are more; sets:0+1=2,0+2=1,...: one of these sets of ranks, drawn in "
          "proportion to its number; messages are divided by their worker's probability, so that the mean is unbiased; "
          "auto: the method's"),
      Row("comm.aggregate", &C::aggregate, NotEmpty{},
          "what receivers make of the decoded messages of all workers; mean; or, for runs in which some are wrong (see "
          "`gradwire list aggregates`): median, trimmed:F, buckets:S, centred_clip:TAU[:STEPS], norm_cap, over "
          "allgather or sharded, of methods without shifts; norms are those of a piece; what an operator, or a worker "
          "that has joined, leaves out of an element counts as 0; an element that is not finite is NaN for all; "
          "metrics, "
          "batch norm's statistics and sparse gradients stay plain means"),
      Row("comm.piece", &C::piece, OneOf{{"fixed", "tensor", "matrix"}},
          "what a compressor works on; fixed: 65,536 elements of one parameter; tensor: a whole parameter; matrix: the "
          "same, with its rows and columns"),
      Row("comm.min_compress_numel", &C::min_compress_numel, AtLeast(0),
          "parameters with fewer elements travel dense, in the same message"),
      Row("comm.compress_1d", &C::compress_1d, AnyValue{},
          "whether 1-D parameters (biases, norms) are compressed as well"),
      Row("comm.start_iter", &C::start_iter, AtLeast(0), "the first steps, so many, are dense"),
      Row("comm.bucket_cap_mb", &C::bucket_cap_mb, Between(0.001, 65536), "DDP's bucket size, MiB"),
      Row("comm.threads", &C::threads, NotEmpty{},
          "threads that encode and decode, 1 to 256, shared by all exchanges of a process; any number gives the same "
          "bits; auto: the cores that a rank of this host may use, less one, 1 to 4"),
      Row("comm.timeout_s", &C::timeout_s, Between(0.001, 1e6),
          "seconds that any wait for another rank may take before the run stops with an error"),
  };
  return keys;
}

void SetComm(CommConfig& config, const std::string& leaf, const ConfigValue& value, const std::string& place) {
  const auto* key = FindIn(CommKeys(), "comm." + leaf);
  if (key == nullptr) {
    std::vector<std::string_view> leaves;
    for (const auto& known : CommKeys()) leaves.push_back(known.leaf());
    const std::string_view nearest = Nearest(leaf, leaves);
    throw ConfigError(fmt::format("{}: unknown setting '{}': expected one of {}{}", place, leaf,
                                  fmt::join(leaves, ", "),
                                  nearest.empty() ? "" : fmt::format("; the nearest is {}", nearest)));
  }
  if (!key->read(value, config))
    throw ConfigError(fmt::format("{}: {}: found {}, expected {}", place, key->name, Describe(value), key->expected));
}

}  // namespace gradwire
