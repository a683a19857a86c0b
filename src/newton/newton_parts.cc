// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "compress/smooth.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "newton/newton_method.h"

namespace gradwire {
namespace {

using Step = NewtonMethod::Step;
using Hessians = NewtonMethod::Hessians;

std::string OrUsual(const std::string& chosen, std::string_view usual) {
  return chosen == "auto" ? std::string(usual) : chosen;
}

[[noreturn]] void Refuse(std::string_view key, const std::string& found, const std::string& expected) {
  throw ConfigError(fmt::format("newton.{}", key), fmt::format("found {}, expected {}", found, expected));
}

/// What `make` returns; the keys of comm in its errors become the section's: of the map of Hessians, or of the model.
template <typename Make>
auto Renamed(bool of_model, Make make) {
  try {
    return make();
  } catch (const ConfigError& error) {
    if (error.key().starts_with("newton.")) throw;
    const std::string leaf = error.key().empty() ? "compressor" : error.key().substr(error.key().find('.') + 1);
    const std::string key = leaf == "method" ? "map" : leaf;
    const std::string own = !of_model ? key : key == "compressor" ? "model" : "model_" + key;
    throw ConfigError("newton." + own, error.reason());
  }
}

CommConfig CommOfVector(const std::string& map, const std::string& compressor) {
  CommConfig comm;
  comm.method = map, comm.compressor = compressor;
  comm.min_compress_numel = 0, comm.compress_1d = true;
  comm.piece = "tensor";
  return comm;
}

/// Whether the operator is one whose estimate moves by a share 1 / (1 + omega) of each message.
bool IsUnbiased(const std::string& compressor) {
  const auto made = ParseCompressor(compressor);
  const Piece piece = Piece::Whole(kPieceNumel);
  return made->unbiased() && !made->contracts(piece);
}

/// A map whose receivers keep an estimate: without one there is nothing that differences could be to.
void CheckMap(std::string_view key, const ExchangeParts& parts) {
  if (!parts.link.shifts() || !parts.link.takes_shift || parts.votes || parts.down_compressor)
    Refuse(key, parts.method,
           "a method whose receivers keep an estimate: ef21, lag, clag, cbag, marina, adaptive_topk, 3pcv1, 3pcv2");
  if (parts.link.has_momentum()) Refuse(key, parts.method, "a method without a momentum");
}

/// Operators whose matrices a run of gradients has.
void CheckOperators(const ExchangeParts& parts) {
  for (const auto& compressor : {parts.compressor, parts.learner})
    if (compressor && NeedsSmoothness(*compressor))
      throw ConfigError("comm.compressor", fmt::format("{}: smoothness matrices are of gradients; expected another "
                                                       "operator, such as topk:1d",
                                                       compressor->spec()));
}

/// Not of a map that sums over all workers on the way.
CommConfig CommOfMap(std::string_view key, const std::string& map, const std::string& compressor) {
  if (FindLink(FindMethod(map).link).iterates)
    Refuse(key, map, "a method whose receivers keep an estimate, such as ef21");
  return CommOfVector(map, compressor);
}

ExchangeParts HessianParts(const NewtonConfig& config, const NewtonMethod& method, uint64_t seed) {
  if (method.hessians != Hessians::kLearned) {
    CommConfig comm = CommOfVector(method.hessians == Hessians::kBare ? "none" : "ef21", "identity");
    comm.topology = "allgather";
    return MakeParts(comm, seed);
  }
  return Renamed(/*of_model=*/false, [&] {
    CommConfig comm = CommOfMap("map", OrUsual(config.map, method.map), OrUsual(config.compressor, method.compressor));
    comm.alpha = config.alpha, comm.learner = config.learner, comm.p = config.p, comm.zeta = config.zeta;
    // ef21 of an unbiased operator is DIANA's shift, taken as the estimate.
    const bool is_unbiased = comm.method == "ef21" && IsUnbiased(comm.compressor);
    if (is_unbiased) comm.method = "diana";
    ExchangeParts parts = MakeParts(comm, seed);
    parts.link.takes_shift |= is_unbiased;
    CheckOperators(parts);
    CheckMap("map", parts);
    if (parts.link.reference == Reference::kPrevious) parts.link.moves_h = true;
    parts.link.opens_dense = config.init == "hessian";
    parts.may_be_silent = method.is_formed();
    return parts;
  });
}

ExchangeParts ModelParts(const NewtonConfig& config, const NewtonMethod& method, uint64_t seed) {
  return Renamed(/*of_model=*/true, [&] {
    const std::string compressor = OrUsual(config.model, method.model);
    const std::string map = config.model_map != "auto" ? config.model_map : compressor == "identity" ? "none" : "ef21";
    CommConfig comm = CommOfMap("model_map", map, compressor);
    comm.alpha = config.model_alpha, comm.learner = config.model_learner;
    const bool is_unbiased = map == "ef21" && IsUnbiased(compressor);
    if (is_unbiased) comm.method = "diana";
    ExchangeParts parts = MakeParts(comm, seed);
    parts.link.takes_shift |= is_unbiased;
    CheckOperators(parts);
    if (parts.compressor->sees_shape())
      Refuse("model", parts.compressor->spec(), "an operator of vectors, such as topk:5 or topk:10%");
    if (map != "none") CheckMap("model_map", parts);
    if (parts.link.refresh) Refuse("model_map", map, "a map without dense rounds");
    parts.link.opens_dense = false;  // both ends begin at the first point
    return parts;
  });
}

Participation ParticipationOf(const NewtonConfig& config, const NewtonMethod& method) {
  const std::string text = OrUsual(config.participation, method.participation);
  try {
    const Participation participation = ParseParticipation(text);
    if (!participation.is_all() && !method.is_formed())
      Refuse("participation", text,
             fmt::format("all, or a method whose workers keep points of their own (fednl_pp, "
                         "newton_3pc_bc_pp), not {}",
                         method.name));
    return participation;
  } catch (const ConfigError& error) {
    throw error.key().empty() ? ConfigError("newton.participation", error.what()) : error;
  }
}

void CheckParticipation(const Participation& participation, size_t workers) {
  try {
    participation.Check(workers);
  } catch (const ConfigError& error) {  // "comm.participation: ..."
    throw ConfigError("newton.participation", error.reason());
  }
}

/// Values that a row does not read are refused where they are set.
void CheckUnread(const NewtonConfig& c, const NewtonMethod& method) {
  const NewtonConfig usual;
  const auto unread = [&](std::string_view key, bool is_set, bool is_read, std::string_view why) {
    if (is_set && !is_read)
      Refuse(key, "another value than the default",
             fmt::format("the default, because newton.method {} {}", method.name, why));
  };
  const bool learned = method.hessians == Hessians::kLearned;
  const std::pair<std::string_view, const std::string*> of_map[] = {
      {"map", &c.map},  {"compressor", &c.compressor}, {"learner", &c.learner}, {"alpha", &c.alpha}, {"p", &c.p},
      {"zeta", &c.zeta}};
  for (const auto& [key, value] : of_map) unread(key, *value != "auto", learned, "compresses no Hessians");
  unread("basis", c.basis != "auto", learned, "compresses no Hessians");
  unread("init", c.init != usual.init, learned, "compresses no Hessians");
  unread("option", c.option != "auto", learned && (method.step == Step::kSolve || method.step == Step::kLineSearch),
         "steps by one B alone");
  const bool projects = c.option == "auto" ? !method.shifted : c.option == "1";
  unread("mu", c.mu.has_value(), projects, "or newton.option has no [H]_mu");
  unread("cubic", c.cubic != usual.cubic, method.step == Step::kCubic, "makes no cubic steps");
  const bool searches = method.step == Step::kLineSearch;
  unread("shrink", c.shrink != usual.shrink, searches, "searches along no line");
  unread("slope", c.slope != usual.slope, searches, "searches along no line");
}

void CheckBasis(const NewtonConfig& c, const NewtonMethod& method) {
  const std::string basis = OrUsual(c.basis, method.basis);
  if ((basis == "positive") != method.is_positive)
    Refuse(
        "basis", basis,
        method.is_positive ? "positive, whose coefficients bl3 compares" : "standard or data, since positive is bl3's");
  if (basis == "data" && c.init != "hessian")
    Refuse("init", c.init, "hessian, because newton.basis is data: what is outside the span is learned at the opening");
}

/// What an operator proves of itself, it proves in the standard basis.
void CheckMapInBasis(const std::string& basis, const ExchangeParts& hessian) {
  const auto is_rule = [](const Coefficient& c) { return c.rule != Coefficient::Rule::kNumber; };
  if (basis == "positive" && (is_rule(hessian.link.alpha) || (hessian.link.refresh && is_rule(*hessian.link.refresh))))
    Refuse("compressor", hessian.compressor->spec(),
           "an operator that contracts, such as topk:1d, or newton.alpha and newton.p as numbers, since its omega is "
           "none of coefficients in newton.basis positive");
  if (basis != "data") return;
  if (hessian.learner && !hessian.learner->is_identity())
    Refuse("map", hessian.method,
           "one of a single message, since the learner's would leave the span of newton.basis data");
  if (hessian.link.gate == Gate::kAdaptive)
    Refuse("map", hessian.method, "another one, since it counts elements that newton.basis data does not send");
}

/// Gradients in some rounds alone are made up for by B, and other points by messages of their own.
void CheckModel(const NewtonConfig& c, const NewtonMethod& method, double gradient_p) {
  if (gradient_p < 1 && method.step != Step::kSolve && !method.is_formed())
    Refuse("gradient_p", fmt::format("{}", gradient_p), "1, since f is looked at in every round");
  if (c.model != "auto" && method.step == Step::kLineSearch && c.model != "identity")
    Refuse("model", c.model, "identity, since a line search begins at the server's point");
}

}  // namespace

NewtonParts MakeNewtonParts(const NewtonConfig& config, const Problem& problem, uint64_t seed,
                            const BitRule* count_as) {
  const NewtonMethod& method = FindNewtonMethod(config.method);
  Check(config);
  NewtonParts parts{&method, HessianParts(config, method, seed), ModelParts(config, method, seed),
                    config.option == "auto" ? method.shifted : config.option == "2"};
  parts.mu = config.mu.value_or(problem.strong_convexity);
  parts.cubic = config.cubic, parts.shrink = config.shrink, parts.slope = config.slope;
  parts.gradient_p = config.gradient_p.value_or(method.gradient_p);
  parts.participation = ParticipationOf(config, method);
  const std::string basis = OrUsual(config.basis, method.basis);
  if (basis == "data") {
    parts.basis = std::make_shared<const DataBasis>(problem);
    parts.hessian.compressor = MakeTransformed(parts.basis, parts.hessian.compressor);
  } else if (basis == "positive") {
    parts.hessian.compressor = MakeTransformed(std::make_shared<const PositiveBasis>(), parts.hessian.compressor);
  }
  CheckParticipation(parts.participation, problem.workers.size());
  parts.seed = seed, parts.count_as = parts.hessian.count_as = parts.model.count_as = count_as;
  if (!parts.shifted && parts.mu <= 0)
    Refuse("mu", config.mu ? "0" : "auto, of a problem that need not be strongly convex",
           "a number above 0, or option 2");
  if (method.hessians == Hessians::kAtSolution && !problem.minimiser)
    Refuse("method", config.method, "another one: the solution of this problem is not known");
  return parts;
}

void Settle(NewtonConfig& config) {
  const NewtonMethod& method = FindNewtonMethod(config.method);
  if (method.hessians == Hessians::kLearned) config.compressor = HessianParts(config, method, 0).compressor->spec();
}

void Check(const NewtonConfig& config) {
  const NewtonMethod& method = FindNewtonMethod(config.method);
  CheckUnread(config, method);
  CheckBasis(config, method);
  const ExchangeParts hessian = HessianParts(config, method, 0);
  if (method.hessians == Hessians::kLearned) CheckMapInBasis(OrUsual(config.basis, method.basis), hessian);
  ModelParts(config, method, 0);
  CheckModel(config, method, config.gradient_p.value_or(method.gradient_p));
  const bool takes_turns = !ParticipationOf(config, method).is_all();
  if (takes_turns && hessian.link.refresh)
    Refuse("map", hessian.method, "a map without dense rounds, in which all workers send");
  if (method.step == Step::kCubic && config.cubic == 0)
    Refuse("cubic", "0",
           fmt::format("M, a Lipschitz constant of the Hessian, because newton.method is {}", method.name));
}

}  // namespace gradwire
