// SPDX-License-Identifier: Apache-2.0
// Where keys are read: a value that is set and would change nothing is refused.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "estimate/estimator.h"
#include "gossip/gossip_method.h"
#include "gradwire/method.h"
#include "newton/newton_method.h"
#include "problem/named.h"
#include "train/config/config.h"
#include "train/config/config_keys.h"
#include "train/config/image_sets.h"
#include "train/config/modes.h"

namespace gradwire::train {
namespace {

/// Keys and why they are not read; empty where they are.
struct Scope {
  std::vector<std::string_view> keys;  ///< or the beginnings of keys, up to a '.' or '_'
  std::string (*why_not)(const Config&);
  std::vector<std::string_view> as_well = {};  ///< what may be said beside the default: it is what happens anyway
};

std::string Because(const Config& config, std::string_view key) {
  return fmt::format("{} is {} ({})", key, FindKey(key)->print(config), config.PlaceOf(key));
}

std::string UnlessConvex(const Config& c) { return c.objective.is_network() ? Because(c, "objective.name") : ""; }
std::string UnlessNetwork(const Config& c) { return c.objective.is_network() ? "" : Because(c, "objective.name"); }
std::string UnlessReads(const Config& c, std::string_view section) {
  const Mode& reader = ReaderOf(section);
  return &reader == &ModeOf(c) ? "" : fmt::format("{}; set it to {}", Because(c, "train.mode"), reader.name);
}
std::string IfServer(const Config& c) { return ModeOf(c).has_server ? Because(c, "train.mode") : ""; }

std::string IfNeighbours(const Config& c) { return ModeOf(c).has_neighbours ? Because(c, "train.mode") : ""; }
std::string IfInPairs(const Config& c) {
  return FindGossipMethod(c.gossip.method).in_pairs ? Because(c, "gossip.method") : "";
}
/// Where no event loop runs: of a server, or of neighbours in pairs.
std::string UnlessEvents(const Config& c) {
  return ModeOf(c).has_neighbours && !IfInPairs(c).empty() ? "" : UnlessReads(c, "async.");
}
/// Where neighbours get models as they are.
std::string UnlessCompressed(const Config& c) {
  return FindGossipMethod(c.gossip.method).compresses ? "" : Because(c, "gossip.method");
}

std::string IfNewton(const Config& c) { return ModeOf(c).has_hessians ? Because(c, "train.mode") : ""; }

/// Newton methods that keep the workers' last gradients carry them by a link of their own.
std::string IfKept(const Config& c) {
  return ModeOf(c).has_hessians && FindNewtonMethod(c.newton.method).is_formed() ? Because(c, "newton.method") : "";
}

/// Where the objective is not made of samples, with a regulariser.
std::string UnlessSamples(const Config& c) {
  if (!TakesSamples(c.objective.name)) return Because(c, "objective.name");
  return FindProblem(c.objective.name, c.objective.data) != nullptr ? Because(c, "objective.data") : "";
}
std::string UnlessAFile(const Config& c) {
  if (TakesSamples(c.objective.name) && IsNamed(c.objective.data)) return Because(c, "objective.data");
  return UnlessSamples(c);
}

/// Where workers have no unknowns of their own.
std::string UnlessPersonal(const Config& c) {
  return c.objective.name == kPersonal ? "" : Because(c, "objective.name");
}
InnerSolver InnerOf(const Config& c) { return ParseInner(c.objective.inner); }
std::string UnlessInner(const Config& c, bool is_another) { return is_another ? Because(c, "objective.inner") : ""; }

/// Where a convex objective's estimator is not such a one.
std::string UnlessEstimator(const Config& c, const std::function<bool(const EstimatorInfo&)>& reads) {
  const bool is_auto = c.objective.estimator == "auto";
  const std::string_view name = is_auto ? FindMethod(c.comm.method).estimator : c.objective.estimator;
  if (c.objective.is_network() || reads(FindEstimator(name))) return "";
  return fmt::format("the estimator is {} ({})", name, c.PlaceOf(is_auto ? "comm.method" : "objective.estimator"));
}
std::string UnlessEstimator(const Config& c, const std::vector<std::string_view>& readers) {
  return UnlessEstimator(c, [&](const EstimatorInfo& info) { return std::ranges::count(readers, info.name) > 0; });
}

/// Samples that come with probabilities of their own come in no batches.
std::string IfOfProbabilities(const Config& c) {
  const bool is_own = c.objective.sampling == "independent" && !c.objective.probabilities.empty();
  return is_own ? "objective.sampling is independent, and " + Because(c, "objective.probabilities") : "";
}

/// Where no anchor moves now and then by itself.
std::string UnlessAnchored(const Config& c) {
  if (!c.objective.is_network()) return UnlessEstimator(c, {"svrg", "lsvrg"});
  return FindMethod(c.comm.method).is_anchored() ? "" : Because(c, "comm.method");
}

/// comm.when asks about gradients of a network that cross a link after every batch.
std::string UnlessCanStayDense(const Config& c) {
  return CanStayDense(c) ? "" : Because(c, c.objective.is_network() ? "train.mode" : "objective.name");
}

const std::vector<Scope>& Scopes() {
  static const std::vector<Scope> scopes = {
      {{"objective.data",   "objective.zero_based",    "objective.intercept",
        "objective.even",   "objective.lambda",        "objective.nonconvex",
        "objective.sigma",  "objective.estimator",     "objective.sampling",
        "objective.batch",  "objective.probabilities", "objective.block",
        "objective.noise",  "objective.refresh_batch", "objective.coin",
        "objective.prox",   "objective.prox_lambda",   "objective.byzantine",
        "objective.attack", "objective.inner",         "objective.inner_",
        "log.average"},
       UnlessConvex},
      {{"objective.star_shift"}, UnlessConvex, {"false"}},
      {{"data.", "model.", "train.epochs", "train.slow_", "log.eval_every", "async.server", "optimizer.weight_decay_bn",
        "comm.bucket_cap_mb"},
       UnlessNetwork},
      {{"optimizer.momentum", "optimizer.weight_decay", "comm.min_compress_numel"}, UnlessNetwork, {"0"}},
      {{"optimizer.nesterov"}, UnlessNetwork, {"false"}},
      {{"comm.compress_1d"}, UnlessNetwork, {"true"}},
      {{"comm.piece"}, UnlessNetwork, {"tensor"}},  // no convex problem is larger than a piece
      {{"objective.lambda", "objective.intercept", "objective.even"}, UnlessSamples},
      {{"objective.nonconvex"},
       [](const Config& c) { return c.objective.name == kSoftmax ? Because(c, "objective.name") : UnlessSamples(c); }},
      {{"objective.sigma"},
       [](const Config& c) { return c.objective.name == kSoftmax ? "" : Because(c, "objective.name"); }},
      {{"objective.zero_based"}, UnlessAFile},
      {{"objective.inner", "objective.inner_"}, UnlessPersonal},
      {{"objective.inner_start"}, [](const Config& c) { return UnlessInner(c, InnerOf(c).is_exact()); }},
      {{"objective.inner_step"},
       [](const Config& c) { return UnlessInner(c, InnerOf(c).kind != InnerSolver::Kind::kDescent); }},
      {{"objective.inner", "objective.inner_"}, IfNewton},
      {{"objective.sampling", "objective.batch", "objective.probabilities"},
       [](const Config& c) {
         return UnlessEstimator(c, [](const EstimatorInfo& info) { return info.draws_samples; });
       }},
      {{"objective.batch", "objective.refresh_batch"}, IfOfProbabilities},
      {{"objective.probabilities"},
       [](const Config& c) {
         const std::vector<std::string_view> readers = {"importance", "independent", "partition"};
         return std::ranges::count(readers, c.objective.sampling) > 0 ? "" : Because(c, "objective.sampling");
       }},
      {{"objective.byzantine"},
       [](const Config& c) { return ModeOf(c).has_gradient_rounds ? std::string() : Because(c, "train.mode"); }},
      {{"objective.attack"},
       [](const Config& c) { return c.objective.byzantine > 0 ? std::string() : Because(c, "objective.byzantine"); }},
      {{"objective.block"}, [](const Config& c) { return UnlessEstimator(c, {"sega"}); }},
      {{"objective.noise"},
       [](const Config& c) { return UnlessEstimator(c, [](const EstimatorInfo& info) { return info.takes_noise; }); }},
      {{"objective.anchor_period"}, UnlessAnchored},
      {{"objective.refresh_batch"}, [](const Config& c) { return UnlessEstimator(c, {"diff"}); }},
      {{"objective.coin"}, [](const Config& c) { return UnlessEstimator(c, {"lsvrg"}); }},
      {{"analysis.reference"},
       [](const Config& c) { return c.analysis.alpha_beta ? std::string() : Because(c, "analysis.alpha_beta"); }},
      {{"data.root"},
       [](const Config& c) {
         return FindImages(c.data.dataset).is_built_in ? Because(c, "data.dataset") : std::string();
       }},
      {{"lr_scheduler.gamma"},
       [](const Config& c) { return c.lr_scheduler.name == "multistep" ? "" : Because(c, "lr_scheduler.name"); }},
      {{"log.average"},
       [](const Config& c) { return c.lr_scheduler.name == "inverse" ? "" : Because(c, "lr_scheduler.name"); }},
      {{"train.slow_factor"},
       [](const Config& c) { return c.train.slow_rank < 0 ? Because(c, "train.slow_rank") : std::string(); }},
      {{"local."}, [](const Config& c) { return UnlessReads(c, "local."); }},
      {{"local.sync_every"},
       [](const Config& c) { return c.local.random > 0 ? Because(c, "local.random") : std::string(); }},
      {{"local.outer_nesterov"},
       [](const Config& c) {
         return c.local.outer_momentum == 0 ? Because(c, "local.outer_momentum") : std::string();
       }},
      {{"gossip."}, [](const Config& c) { return UnlessReads(c, "gossip."); }},
      {{"gossip.gamma", "gossip.opening"}, UnlessCompressed, {"1"}},
      {{"gossip.weights", "gossip.lambda"}, IfInPairs, {"1"}},
      {{"comm.compressor", "comm.piece", "comm.min_compress_numel", "comm.compress_1d"},
       [](const Config& c) { return IfNeighbours(c).empty() ? "" : UnlessCompressed(c); }},
      {{"comm.method", "comm.learner", "comm.down", "comm.down_compressor", "comm.alpha", "comm.eta", "comm.beta",
        "comm.zeta", "comm.ema", "comm.noise", "comm.opening", "comm.p", "comm.participation", "comm.aggregate",
        "comm.start_iter", "comm.topology", "comm.bucket_cap_mb", "run.threads", "log.average"},
       IfNeighbours},
      {{"optimizer.momentum"}, IfNeighbours, {"0"}},  // gossip.lambda is theirs
      {{"optimizer.nesterov"}, IfNeighbours, {"false"}},
      {{"async.assign", "async.wait_for", "async.max_staleness", "async.down", "async.server"},
       [](const Config& c) { return UnlessReads(c, "async."); }},
      {{"async.delay", "async.speeds"}, UnlessEvents},
      {{"newton."}, [](const Config& c) { return UnlessReads(c, "newton."); }},
      {{"optimizer.lr", "lr_scheduler.", "objective.estimator", "objective.sampling", "objective.batch",
        "objective.probabilities", "objective.noise", "comm.aggregate", "comm.start_iter", "log.average"},
       IfNewton},
      {{"objective.star_shift"}, IfNewton, {"false"}},
      {{"comm.topology"}, IfKept, {"allgather"}},
      {{"comm.down", "comm.down_compressor"}, IfKept, {"none"}},
      {{"async.delay", "async.speeds"},
       [](const Config& c) {
         return c.objective.is_network() ? UnlessConvex(c) +
                                               ": workers of a network take the time that they take; "
                                               "train.slow_rank and train.slow_factor slow one down"
                                         : "";
       }},
      {{"async.speeds"},
       [](const Config& c) { return c.async.delay == "none" ? Because(c, "async.delay") : std::string(); }},
      {{"run.threads"},
       [](const Config& c) { return c.run.launch == "threads" ? IfServer(c) : Because(c, "run.launch"); }},
      {{"log.bits_paper"},
       [](const Config& c) {
         return c.objective.is_network() ? IfServer(c) : std::string();  // workers count in processes of their own
       }},
      {{"comm.when"}, UnlessCanStayDense, {"always"}},
      {{"comm.bucket_cap_mb", "comm.start_iter", "comm.aggregate"}, IfServer},
      {{"comm.topology"}, IfServer, {"allgather"}},
      {{"checkpoint.keep_last"},
       [](const Config& c) {
         return std::string(c.checkpoint.is_on() ? "" : "no other key of the section is set, and nothing is saved");
       }},
  };
  return scopes;
}

bool IsOf(std::string_view key, std::string_view name) {
  return name.ends_with('.') || name.ends_with('_') ? key.starts_with(name) : key == name;
}

void CheckKey(const Config& config, const Key& key, const Scope& scope) {
  const std::string found = key.print(config);
  if (found == key.default_text || std::ranges::count(scope.as_well, found) > 0) return;
  if (const std::string why = scope.why_not(config); !why.empty())
    throw ErrorAt(config, key.name,
                  fmt::format("found {}, expected the default {} because {}", found, key.default_text, why));
}

}  // namespace

void CheckScopes(const Config& config) {
  for (const Scope& scope : Scopes())
    for (const Key& key : Keys())
      if (std::ranges::any_of(scope.keys, [&](std::string_view name) { return IsOf(key.name, name); }))
        CheckKey(config, key, scope);
}

}  // namespace gradwire::train
