// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <functional>
#include <tuple>

#include <fmt/format.h>

#include "compress/smooth.h"
#include "estimate/inner_solver.h"
#include "gossip/gossip_method.h"
#include "gradwire/method.h"
#include "newton/newton_method.h"
#include "problem/named.h"
#include "train/config/async_rules.h"
#include "train/config/config.h"
#include "train/config/config_keys.h"
#include "train/config/modes.h"

namespace gradwire::train {
namespace {

void CheckOptimizer(const Config& config) {
  if (config.objective.is_network() && !ModeOf(config).has_neighbours && config.optimizer.nesterov &&
      config.optimizer.momentum == 0)
    throw ErrorAt(config, "optimizer.momentum",
                  fmt::format("found 0, expected a number > 0 because optimizer.nesterov is true ({}); set "
                              "optimizer.nesterov to false for plain SGD",
                              config.PlaceOf("optimizer.nesterov")));
}

void CheckLrScheduler(const Config& config) {
  const LrSchedulerConfig& scheduler = config.lr_scheduler;
  const std::vector<double>& milestones = scheduler.milestones;
  if (std::adjacent_find(milestones.begin(), milestones.end(), std::greater_equal<>()) != milestones.end())
    throw ErrorAt(config, "lr_scheduler.milestones",
                  fmt::format("found [{}], expected epochs that increase", fmt::join(milestones, ", ")));
  if ((scheduler.name == "multistep") != !milestones.empty())
    throw ErrorAt(config, milestones.empty() ? "lr_scheduler.name" : "lr_scheduler.milestones",
                  fmt::format("found [{}] as milestones of {}; expected milestones for multistep, and for multistep "
                              "alone",
                              fmt::join(milestones, ", "), scheduler.name));
  if ((scheduler.name == "inverse") != (scheduler.shift > 0))
    throw ErrorAt(config, "lr_scheduler.shift",
                  fmt::format("found {}, expected {} because lr_scheduler.name is {} ({})", scheduler.shift,
                              scheduler.name == "inverse" ? "a number of steps > 0" : "0", scheduler.name,
                              config.PlaceOf("lr_scheduler.name")));
  if (scheduler.warmup_epochs > 0 && config.objective.is_network() &&
      scheduler.warmup_epochs >= static_cast<double>(config.train.epochs))
    throw ErrorAt(config, "lr_scheduler.warmup_epochs",
                  fmt::format("found {}, expected fewer than train.epochs, which is {} ({})", scheduler.warmup_epochs,
                              config.train.epochs, config.PlaceOf("train.epochs")));
}

/// What a network's gradients are beside those of its batches needs more than one pass over a batch.
void CheckPasses(const Config& config) {
  const Method& method = FindMethod(config.comm.method);
  if (method.is_anchored() && !ModeOf(config).has_gradient_rounds)
    throw ErrorAt(config, "comm.method",
                  fmt::format("found {}, whose gradients have one anchor of all ranks, a point that all have been at; "
                              "expected {} or another one because train.mode is {} ({})",
                              config.comm.method, method.instead, config.train.mode, config.PlaceOf("train.mode")));
  if (method.needs_two_points() && !ModeOf(config).has_gradient_rounds)
    throw ErrorAt(
        config, "comm.method",
        fmt::format("found {}, whose changes are of one batch at two points, which only gradient rounds have; "
                    "expected another one because train.mode is {} ({})",
                    config.comm.method, config.train.mode, config.PlaceOf("train.mode")));
}

/// Changes of gradients of different samples add up to another method's noise.
void CheckEstimator(const Config& config) {
  const std::string& estimator = config.objective.estimator;
  const bool changes = FindMethod(config.comm.method).needs_two_points();
  if (changes ? estimator == "auto" || estimator == "full" || estimator == "diff" : estimator != "diff") return;
  throw ErrorAt(config, "objective.estimator",
                fmt::format("found {}, expected {} because comm.method is {} ({})", estimator,
                            changes ? "auto, full or diff, so that changes are of one batch,"
                                    : "another one, since marina's dense rounds alone start it anew,",
                            config.comm.method, config.PlaceOf("comm.method")));
}

/// A worker's own unknowns are fitted to all its samples, and theorems' steps are of their best values.
void CheckPersonal(const Config& config) {
  const ObjectiveConfig& objective = config.objective;
  const std::string_view usual = FindMethod(config.comm.method).estimator;
  const char* because = "because objective.name is personal";
  if (objective.estimator != "auto" && objective.estimator != "full")
    throw ErrorAt(config, "objective.estimator",
                  fmt::format("found {}, expected auto or full {}", objective.estimator, because));
  if (objective.estimator == "auto" && usual != "full")
    throw ErrorAt(config, "comm.method",
                  fmt::format("found {}, whose estimator is {}; expected one of full gradients, or objective.estimator "
                              "full, {}",
                              config.comm.method, usual, because));
  if (config.optimizer.lr.is_theory && !ParseInner(objective.inner).is_exact())
    throw ErrorAt(config, "optimizer.lr",
                  fmt::format("found theory, which is of the best own unknowns; expected a number, such as 0.2 / L, "
                              "because objective.inner is {} ({})",
                              objective.inner, config.PlaceOf("objective.inner")));
}

/// A name of other objectives' data is no file.
void CheckData(const Config& config) {
  const auto& [name, data] = std::tie(config.objective.name, config.objective.data);
  const NamedSamples* samples = FindSamples(data);
  const bool is_sampled = TakesSamples(name) && (samples != nullptr ? Fit(*samples, name) : !IsNamed(data));
  if (FindProblem(name, data) != nullptr || is_sampled) return;
  throw ErrorAt(config, "objective.data",
                fmt::format("found {}, expected {} because objective.name is {} ({})", data, DataOf(name), name,
                            config.PlaceOf("objective.name")));
}

void CheckObjective(const Config& config) {
  const ObjectiveConfig& objective = config.objective;
  if (objective.is_network()) {
    if (config.run.launch == "threads")
      throw ErrorAt(config, "run.launch", "found threads, expected processes because objective.name is network");
    if (config.optimizer.lr.is_theory)
      throw ErrorAt(config, "optimizer.lr", "found theory, expected a number because objective.name is network");
    CheckPasses(config);
    return;
  }
  CheckEstimator(config);
  if (objective.name == kPersonal) CheckPersonal(config);
  CheckData(config);
  if (config.train.steps == 0)
    throw ErrorAt(config, "train.steps",
                  fmt::format("found 0, expected the number of rounds because objective.name is {}", objective.name));
  if ((objective.prox == "none") != (objective.prox_lambda == 0))
    throw ErrorAt(config, "objective.prox_lambda",
                  fmt::format("found {} with objective.prox {}; expected a number > 0 for l1 and l2, and 0 for none",
                              objective.prox_lambda, objective.prox));
}

/// Rank 0 of a network's run may do nothing but serve.
int64_t WorkersOf(const Config& config) {
  return config.run.nproc - (config.objective.is_network() && config.async.server == "dedicated" ? 1 : 0);
}

void CheckAsyncNetwork(const Config& config) {
  if (WorkersOf(config) < 1)
    throw ErrorAt(config, "run.nproc",
                  fmt::format("found {}, expected at least 2, a server and a worker, because async.server is dedicated",
                              config.run.nproc));
  if (config.train.slow_rank == 0 && config.async.server == "dedicated")
    throw ErrorAt(
        config, "train.slow_rank",
        "found 0, expected a worker's rank, from 1, because async.server is dedicated: rank 0 computes nothing");
}

void CheckAsync(const Config& config) {
  const auto refuse = [&](std::string_view key, const std::string& found, const char* expected) {
    throw ErrorAt(config, key, fmt::format("found {}, expected {} because train.mode is async", found, expected));
  };
  if (config.objective.is_network())
    CheckAsyncNetwork(config);
  else if (config.run.launch != "threads")
    refuse("run.launch", config.run.launch, "threads: the event loop runs on a simulated clock");
  if (config.async.wait_for > WorkersOf(config))
    refuse("async.wait_for", fmt::format("{}", config.async.wait_for), "at most the number of workers");
  if (config.async.speeds.empty()) refuse("async.speeds", "an empty list", "at least one speed");
  try {
    DownPartsOf(config);
  } catch (const ConfigError& error) {  // "comm.compressor: ..."
    const std::string_view message = error.what();
    throw ErrorAt(config, "async.down", message.substr(message.find(": ") + 2));
  }
  if (NeedsSmoothness(*DownPartsOf(config).compressor))
    refuse("async.down", config.async.down, "an operator without the workers' smoothness matrices");
  if (config.objective.coin == "common")
    refuse("objective.coin", "common", "own, since workers have no rounds in common,");
  const Method& method = FindMethod(config.comm.method);
  const ExchangeParts parts = MakeParts(CommOf(config), 0);
  if (parts.down_compressor) refuse("comm.method", config.comm.method, "a method without a way back");
  if (parts.votes) refuse("comm.method", config.comm.method, "one whose workers need no vote");
  if (parts.link.iterates)
    refuse("comm.method", config.comm.method, "one without sums over all workers (ef with rank:4),");
  if (!parts.participation.is_all())
    refuse("comm.participation", config.comm.participation, "all, since workers have no rounds in common,");
  const std::string_view estimator =
      config.objective.estimator == "auto" ? method.estimator : std::string_view(config.objective.estimator);
  if (method.coin == "common" && estimator == "lsvrg")
    refuse("comm.method", config.comm.method, "one whose workers need no coin in common");
}

void CheckShift(const Config& config) {
  const LocalConfig& local = config.local;
  const auto refuse = [&](std::string_view key, const std::string& what) {
    throw ErrorAt(config, key,
                  fmt::format("{} because local.shift is {} ({})", what, local.shift, config.PlaceOf("local.shift")));
  };
  if (local.gradient_p.empty())
    throw ErrorAt(config, "local.gradient_p", "found an empty list, expected at least one number");
  if (local.gradient_p != std::vector<double>{1} && local.shift != "skip")
    refuse("local.gradient_p", "found other numbers than 1, expected [1]");
  const bool is_anchored = local.shift == "anchor";
  if (is_anchored && config.objective.is_network())
    throw ErrorAt(config, "local.shift",
                  "found anchor, expected none, skip or learn because objective.name is network");
  if (is_anchored != (local.anchor_p > 0))
    refuse("local.anchor_p", fmt::format("found {}, expected {}", local.anchor_p, is_anchored ? "a number > 0" : "0"));
  if (is_anchored != (config.objective.estimator == "anchored"))
    refuse("objective.estimator", fmt::format("found {}, expected {}", config.objective.estimator,
                                              is_anchored ? "anchored, of a convex objective" : "another one"));
  if (local.shift == "none") return;
  const ExchangeParts parts = MakeParts(CommOf(config), 0);
  if (!parts.participation.is_all())
    refuse("comm.participation", fmt::format("found {}, expected all: every worker's shift moves at every agreement",
                                             config.comm.participation));
  if (parts.link.has_momentum())
    refuse("comm.ema", fmt::format("found {}, which is {} of method {}; expected 1, the plain mean", config.comm.ema,
                                   parts.link.ema, config.comm.method));
  if (local.outer_lr != 1 || local.outer_momentum != 0)
    refuse(local.outer_lr != 1 ? "local.outer_lr" : "local.outer_momentum", "expected the plain mean");
  if (local.shift == "skip" && config.objective.is_network() && config.optimizer.momentum != 0)
    refuse("optimizer.momentum", fmt::format("found {}, expected 0", config.optimizer.momentum));
}

void CheckNewton(const Config& config) {
  const auto refuse = [&](std::string_view key, const std::string& found, const char* expected) {
    throw ErrorAt(config, key, fmt::format("found {}, expected {} because train.mode is newton", found, expected));
  };
  try {
    Check(config.newton);
  } catch (const ConfigError& error) {
    throw WithPlace(config, error);
  }
  const Method& method = FindMethod(config.comm.method);
  const ExchangeParts parts = MakeParts(CommOf(config), 0);
  if (method.estimator != "full" || method.star_shift)
    refuse("comm.method", config.comm.method, "one of full gradients");
  if (FindNewtonMethod(config.newton.method).is_formed() && config.comm.method != "none")
    refuse("comm.method", config.comm.method, "none, since newton.method keeps the workers' last gradients,");
  if (!parts.participation.is_all())
    refuse("comm.participation", config.comm.participation, "all: newton.participation says who takes part,");
}

/// Neighbours exchange no gradients of buckets, and their messages have no mean.
void CheckNeighbours(const Config& config) {
  if (config.comm.compressor != "auto" && NeedsSmoothness(*ParseCompressor(config.comm.compressor)))
    throw ErrorAt(
        config, "comm.compressor",
        fmt::format("{}: neighbours have no smoothness matrices of each other; expected another operator, such "
                    "as topk:1%",
                    config.comm.compressor));
  if (FindGossipMethod(config.gossip.method).compresses && !config.gossip.gamma)
    throw ErrorAt(
        config, "gossip.gamma",
        fmt::format("found auto, expected a number from 0 to 1, such as 0.2, because gossip.method is {} ({}): "
                    "which one works depends on operator and graph",
                    config.gossip.method, config.PlaceOf("gossip.method")));
}

/// Workers of an event loop without a server.
void CheckPairs(const Config& config) {
  const auto refuse = [&](std::string_view key, std::string_view found, std::string_view expected) {
    throw ErrorAt(config, key,
                  fmt::format("found {}, expected {} because gossip.method is {} ({})", found, expected,
                              config.gossip.method, config.PlaceOf("gossip.method")));
  };
  if (config.objective.is_network())
    throw ErrorAt(config, "gossip.method",
                  fmt::format("found {}, whose clock is simulated; expected a method with rounds because "
                              "objective.name is network ({})",
                              config.gossip.method, config.PlaceOf("objective.name")));
  if (config.run.launch != "threads")
    refuse("run.launch", config.run.launch, "threads, since the event loop runs on a simulated clock,");
  if (config.async.speeds.empty()) refuse("async.speeds", "an empty list", "at least one speed");
  if (config.objective.coin == "common")
    refuse("objective.coin", "common", "own, since workers have no rounds in common,");
}

/// Theorems and control variates are about means.
void CheckAggregate(const Config& config) {
  if (config.objective.byzantine > 0 && config.objective.attack.attack == nullptr)
    throw ErrorAt(config, "objective.attack",
                  fmt::format("found none, expected what the {} workers of objective.byzantine ({}) send, such as "
                              "sign_flip",
                              config.objective.byzantine, config.PlaceOf("objective.byzantine")));
  if (ParseAggregate(config.comm.aggregate).is_mean()) return;
  const auto refuse = [&](std::string_view key, const std::string& found, const char* expected) {
    throw ErrorAt(config, key,
                  fmt::format("found {}, expected {} because comm.aggregate is {} ({})", found, expected,
                              config.comm.aggregate, config.PlaceOf("comm.aggregate")));
  };
  if (config.optimizer.lr.is_theory) refuse("optimizer.lr", "theory, which is of means", "a number");
  if (config.local.shift != "none") refuse("local.shift", config.local.shift, "none: shifts add up to zero of means,");
}

void CheckMode(const Config& config) {
  const Mode& mode = ModeOf(config);
  if (mode.has_neighbours) CheckNeighbours(config);
  if (mode.has_neighbours && FindGossipMethod(config.gossip.method).in_pairs) CheckPairs(config);
  if (!mode.has_gradient_rounds && config.optimizer.lr.is_theory)
    throw ErrorAt(config, "optimizer.lr",
                  fmt::format("found theory, which is of gradient rounds; expected a number because train.mode is {}",
                              mode.name));
  if (config.optimizer.lr.is_theory &&
      (config.lr_scheduler.name != "constant" || config.lr_scheduler.warmup_epochs > 0))
    throw ErrorAt(
        config, "optimizer.lr",
        fmt::format("found theory, whose steps are constant; expected a number because lr_scheduler.name is {} "
                    "({}), lr_scheduler.warmup_epochs {}",
                    config.lr_scheduler.name, config.PlaceOf("lr_scheduler.name"), config.lr_scheduler.warmup_epochs));
  if (!mode.has_gradient_rounds && config.objective.prox != "none")
    throw ErrorAt(
        config, "objective.prox",
        fmt::format("a regulariser is a step of gradient rounds; expected none because train.mode is {}", mode.name));
  if (config.train.delay > 0) {
    const auto refuse = [&](const std::string& what) {
      throw ErrorAt(config, "train.delay", fmt::format("found {}, expected 0 because {}", config.train.delay, what));
    };
    if (!mode.has_gradient_rounds) refuse(fmt::format("train.mode is {}", mode.name));
    if (config.optimizer.lr.is_theory) refuse("optimizer.lr is theory, which is of steps along the gradient here");
    if (config.objective.prox != "none") refuse("a proximal step belongs to the point of its own round");
  }
  if (!mode.is_local && config.objective.estimator == "anchored")
    throw ErrorAt(
        config, "objective.estimator",
        fmt::format("found anchored, whose anchor only local.shift: anchor moves; expected another one because "
                    "train.mode is {}",
                    mode.name));
  if (mode.has_server) CheckAsync(config);
  if (mode.has_hessians) CheckNewton(config);
  if (mode.is_local) CheckShift(config);
}

}  // namespace

size_t ThreadsOf(const Config& config) {
  if (config.run.threads) return static_cast<size_t>(*config.run.threads);
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? static_cast<size_t>(CPU_COUNT(&cores)) : 1;
}

CommConfig CommOf(const Config& config) {
  CommConfig comm = config.comm;
  if (!config.objective.is_network()) comm.min_compress_numel = 0, comm.compress_1d = true;
  if (ModeOf(config).has_neighbours)
    comm.method = "ef21", comm.aggregate = "mean";  // the link of their messages, which have one sender each
  return comm;
}

std::string Config::PlaceOf(std::string_view key) const {
  const auto found = places.find(key);
  return found == places.end() ? "default value" : found->second;
}

ConfigError WithPlace(const Config& config, const ConfigError& error) {
  return ConfigError(fmt::format("{}: {}", config.PlaceOf(error.key()), error.what()));
}

ConfigError ErrorAt(const Config& config, std::string_view key, std::string_view message) {
  return ConfigError(fmt::format("{}: {}: {}", config.PlaceOf(key), key, message));
}

/// Its views are of batches at one point of all workers, of losses whose infimum is 0; no save has them.
void CheckAnalysis(const Config& config) {
  if (!config.analysis.alpha_beta) return;
  const auto refuse = [&](std::string_view key, const std::string& found, const char* expected) {
    throw ErrorAt(config, "analysis.alpha_beta",
                  fmt::format("found true with {} {} ({}), expected {}", key, found, config.PlaceOf(key), expected));
  };
  if (!ModeOf(config).has_gradient_rounds) refuse("train.mode", config.train.mode, "sync");
  if (config.objective.name == "quadratic")
    refuse("objective.name", config.objective.name, "a network or a loss, which are never below 0");
  if (config.checkpoint.is_on()) refuse("checkpoint.resume", config.checkpoint.resume, "a run without saves");
}

void CheckTogether(const Config& config) {
  if (config.objective.is_network() && ModeOf(config).has_hessians)
    throw ErrorAt(
        config, "objective.name",
        fmt::format("found network, expected a convex objective, whose Hessians are known, because train.mode "
                    "is {} ({})",
                    config.train.mode, config.PlaceOf("train.mode")));
  try {
    Check(CommOf(config));
    if (config.objective.is_network()) CheckGiven(config.comm, kNetworkGives, "the training of a network");
  } catch (const ConfigError& error) {
    throw WithPlace(config, error);
  }
  CheckScopes(config);
  CheckOptimizer(config);
  CheckLrScheduler(config);
  CheckObjective(config);
  CheckMode(config);
  CheckAggregate(config);
  CheckAnalysis(config);
}

}  // namespace gradwire::train
