// SPDX-License-Identifier: Apache-2.0
#include "train/list.h"

#include <vector>

#include <fmt/format.h>

#include "averaging/averaging.h"
#include "compress/spec.h"
#include "estimate/attack.h"
#include "estimate/estimator.h"
#include "estimate/inner_solver.h"
#include "exchange/topologies.h"
#include "gossip/gossip_method.h"
#include "gossip/mixing.h"
#include "gradwire/compressor.h"
#include "gradwire/error.h"
#include "gradwire/link.h"
#include "gradwire/method.h"
#include "message/aggregate_rules.h"
#include "newton/newton_method.h"
#include "theory/estimator_constants.h"
#include "theory/theory.h"
#include "train/config/modes.h"

namespace gradwire::train {
namespace {

std::string Below(std::string_view text) { return fmt::format("{:<{}}{}\n", "", kListIndent, text); }

/// A name that is too long for its column has a line of its own.
std::string Row(std::string_view name, std::string_view summary, std::string_view source) {
  const std::string text = source.empty() ? std::string(summary) : fmt::format("{}  [{}]", summary, source);
  if (name.size() + 4 > kListIndent) return fmt::format("  {}\n", name) + Below(text);
  return fmt::format("  {:<{}}{}\n", name, kListIndent - 2, text);
}

/// What an element costs in the largest piece, of floats.
std::string Bits(const Compressor& compressor) {
  const size_t bytes = compressor.Bytes(Piece::Whole(kPieceNumel), Dtype::kF32);
  return fmt::format("{}{:.4g} bits an element", compressor.variable() ? "at most " : "",
                     8.0 * static_cast<double>(bytes) / kPieceNumel);
}

std::string Facts(const Compressor& compressor) {
  const Piece piece = Piece::Whole(kPieceNumel);
  std::string text = fmt::format("{}, {}", compressor.unbiased() ? "unbiased" : "biased", Bits(compressor));
  if (const auto omega = compressor.omega(piece)) text += fmt::format(", omega {:.4g}", *omega);
  if (const auto delta = compressor.delta(piece)) text += fmt::format(", delta {:.4g}", *delta);
  if (compressor.scope() == Scope::kModel) text += ", of the whole model";
  return text + (compressor.linear() ? ", linear" : "");
}

std::string WithBits(std::string_view spec) {
  return fmt::format("{} ({})", spec, Bits(*ParseCompressor(std::string(spec))));
}

/// The parts in the order of comm's keys, as `comm.method` alone picks them.
std::string PartsOf(const Method& method) {
  std::string text = fmt::format("link {}, {}", method.link, WithBits(method.compressor));
  if (method.ema != 1) text += fmt::format(", of momenta with {:g} of the gradient", method.ema);
  if (!method.learner.empty()) text += fmt::format(", learner {}", WithBits(method.learner));
  if (method.down != "none")
    text += fmt::format(", back {}, {}", method.down,
                        WithBits(method.down_compressor.empty() ? method.compressor : method.down_compressor));
  return text;
}

std::string EstimatorText(const Method& method) {
  std::string text = fmt::format("estimator {}", method.estimator);
  if (method.star_shift) text += " less the gradient at the solution";
  if (const std::string missing = Missing(method, kNetworkGives); !missing.empty())
    return text + fmt::format("; not for networks: {}; see {}", missing, method.instead);
  if (method.needs_two_points())
    return text +
           "; networks: one mini-batch at two points: two passes a step and a copy of the model (the trainer's "
           "train.mode sync alone)";
  if (method.is_anchored())
    return text +
           "; networks: each mini-batch at an anchor too, and an epoch's batches where it moves "
           "(objective.anchor_period): about three passes a step and two copies of the model (the trainer's "
           "train.mode sync alone)";
  return text + "; networks: the gradient of the mini-batch";
}

std::string MethodsText() {
  std::string text = "Methods (comm.method), their usual operators and bits an element of a large parameter\n";
  for (const Method& method : Methods()) {
    text += Row(method.name, method.summary, method.source);
    text += Below(PartsOf(method)) + Below(EstimatorText(method));
    for (const Theory& theory : Theories())
      if (theory.method == method.name)
        text +=
            Below(fmt::format("optimizer.lr theory, {}: {}  [{}]", theory.estimator, theory.formula, theory.source));
  }
  return text;
}

std::string OperatorsText() {
  std::string text = "Operators (comm.compressor); facts for a piece of 65,536 floats\n";
  for (const CompressorInfo& info : Compressors())
    text += Row(info.syntax, info.summary, info.source) +
            Below(fmt::format("{}: {}", info.examples[0], Facts(*ParseCompressor(info.examples[0]))));
  return text;
}

std::string LinksText() {
  std::string text = "Links, which a method picks, with their coefficients\n";
  for (const Link& link : Links()) text += Row(link.name, link.summary, link.source) + Below(link.numbers());
  text += "Links of the way back (comm.down)\n";
  for (const Link& link : DownLinks()) text += Row(link.name, link.summary, link.source) + Below(link.numbers());
  return text;
}

/// What the constants of estimators are of.
constexpr std::string_view kConstantsLegend =
    "E ||g - grad f(x*)||^2 <= 2 A D + B sigma^2 + D1, and sigma^2 becomes at most (1 - rho) sigma^2 + 2 C D + D2, "
    "with D "
    "= f(x) - f(x*) - <grad f(x*), x - x*>; optimizer.lr theory is 1/(A + 2 B C/rho). Li: of the worker; L: the "
    "largest "
    "c_l L_il of its samples, c_l by objective.sampling, 1 where all are alike; p: of a sample; s^2: of "
    "objective.noise; "
    "v^2: mean c ||grad f_l(x*)||^2";

std::string EstimatorsText() {
  std::string text = "Estimators (objective.estimator) of a worker's gradient on convex problems\n";
  for (const EstimatorInfo& info : Estimators()) {
    text += Row(info.name, info.summary, info.source);
    for (const EstimatorConstantsRow& row : EstimatorConstantsRows())
      if (row.estimator == info.name) text += Below(fmt::format("{}; sigma^2 = {}", row.constants, row.sigma));
  }
  return text + Row("(constants)", kConstantsLegend, "Gorbunov et al. 2020, arXiv 1905.11261, table 2");
}

std::string TopologiesText() {
  std::string text =
      "Topologies (comm.topology); a rank's bytes are for n ranks, messages of c bytes up and c' back, d floats\n";
  for (const Topology& topology : Topologies()) text += fmt::format("  {:<18}{}\n", topology.name, topology.summary);
  return text;
}

std::string NewtonText() {
  std::string text = "Newton methods (newton.method) of train.mode newton, on convex problems, and their usual parts\n";
  for (const NewtonMethod& method : NewtonMethods()) {
    text += Row(method.name, method.summary, method.source);
    if (method.hessians == NewtonMethod::Hessians::kLearned)
      text +=
          Below(fmt::format("Hessians by {}, {}, {} the step; option {}; the model by {}; gradients with "
                            "probability {}; who takes part: {}",
                            method.map, method.compressor, method.learns_first ? "before" : "after",
                            method.shifted ? 2 : 1, method.model, method.gradient_p, method.participation));
  }
  return text;
}

std::string GossipText() {
  std::string text = "Methods of neighbours (gossip.method), on convex problems\n";
  for (const GossipMethod& method : GossipMethods()) text += Row(method.name, method.summary, method.source);
  return text + "Graphs (gossip.graph): " + GraphNames() + " of weights\n";
}

std::string AggregatesText() {
  std::string text =
      "Aggregates (comm.aggregate): what receivers make of all messages, and what holds where some are wrong\n";
  for (const AggregateRule& rule : AggregateRules())
    text += Row(rule.form, rule.summary, rule.source) + Below(std::string(TextOf(rule.promise)));
  text += "Attacks (objective.attack) of objective.byzantine workers of convex problems, with their usual S\n";
  for (const Attack& attack : Attacks())
    text += Row(fmt::format("{}:{:g}", attack.name, attack.strength), attack.summary, attack.source);
  return text;
}

std::string AveragingText() {
  std::string text = "Ways to average among peers that may fail (gradwire analyse averaging --methods)\n";
  for (const AveragingMethod& method : AveragingMethods()) text += Row(method.name, method.summary, method.source);
  return text;
}

std::string InnerText() {
  std::string text = "Inner solvers (objective.inner) of a worker's own unknowns, of objective.name personal\n";
  for (const InnerSolverInfo& info : InnerSolvers()) text += Row(info.syntax, info.summary, info.source);
  return text;
}

struct Section {
  std::string_view name;
  std::string (*text)();
};

constexpr Section kSections[] = {{"methods", MethodsText},       {"operators", OperatorsText},
                                 {"links", LinksText},           {"estimators", EstimatorsText},
                                 {"topologies", TopologiesText}, {"newton", NewtonText},
                                 {"gossip", GossipText},         {"inner", InnerText},
                                 {"aggregates", AggregatesText}, {"averaging", AveragingText}};

}  // namespace

std::string ListText(std::string_view section) {
  std::string all;
  std::vector<std::string_view> names;
  for (const Section& known : kSections) {
    if (known.name == section) return known.text();
    names.push_back(known.name);
    if (!all.empty()) all += '\n';
    all += known.text();
  }
  if (section.empty()) return all;
  const std::string_view near = Nearest(section, names);
  throw ConfigError(fmt::format("gradwire list: found '{}'{}; expected one of {}, or nothing for all", section,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

}  // namespace gradwire::train
