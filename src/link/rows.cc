// SPDX-License-Identifier: Apache-2.0
#include "gradwire/error.h"
#include "gradwire/link.h"

namespace gradwire {
namespace {

using Rule = Coefficient::Rule;

const Link& Find(const std::vector<Link>& links, std::string_view name) {
  for (const Link& link : links)
    if (link.name == name) return link;
  throw ConfigError("link '" + std::string(name) + "': unknown");
}

}  // namespace

const std::vector<Link>& Links() {
  static const std::vector<Link> links = {
      {.name = "raw",
       .summary = "no memory: what the operator leaves out is lost",
       .source = "Alistarh et al. 2017, arXiv 1610.02132"},
      {.name = "ef",
       .kappa = 1,
       .lambda = 1,
       .summary = "error feedback: what was left out joins the next message",
       .source = "Seide et al. 2014; Tang et al. 2019, arXiv 1905.05957"},
      {.name = "ef_in",
       .kappa = 1,
       .lambda = 1,
       .step_inside = true,
       .summary = "error feedback with the step size inside: what was left out is in units of the step",
       .source = "Stich & Karimireddy 2020, arXiv 1909.05350"},
      {.name = "ef21",
       .reference = Reference::kShift,
       .alpha = 1,
       .takes_shift = true,
       .opens_dense = true,
       .summary = "sends the difference to what the receiver has, which becomes the estimate",
       .source = "Richtarik et al. 2021, arXiv 2106.05203"},
      {.name = "econtrol",
       .reference = Reference::kShift,
       .alpha = 1,
       .kappa = Rule::kDelta,
       .lambda = 1,
       .takes_shift = true,
       .opens_dense = true,
       .summary = "ef21 with a controlled share eta of an error memory",
       .source = "Gao et al. 2024, arXiv 2311.05645"},
      {.name = "diana",
       .reference = Reference::kShift,
       .alpha = Rule::kDamping,
       .for_unbiased = true,
       .summary = "sends the difference to a shift that learns the gradient at the optimum",
       .source = "Mishchenko et al. 2019, arXiv 1901.09269"},
      {.name = "damped",
       .reference = Reference::kShift,
       .alpha = 1,
       .takes_shift = true,
       .summary = "ef21 from 0 whose shift moves by a share alpha of the message",
       .source = "Islamov et al. 2025, arXiv 2502.11682"},
      {.name = "marina",
       .reference = Reference::kPrevious,
       .alpha = 1,
       .takes_shift = true,
       .for_unbiased = true,
       .opens_dense = true,
       .refresh = Rule::kDamping,
       .summary = "sends the change of the gradient, and sometimes, all ranks at once, the gradient itself",
       .source = "Gorbunov et al. 2021, arXiv 2102.07845"},
      {.name = "lag",
       .reference = Reference::kShift,
       .alpha = 1,
       .takes_shift = true,
       .opens_dense = true,
       .gate = Gate::kLazy,
       .gate_level = 1,
       .summary = "ef21 that keeps silent while the gradient changes faster than the estimate is wrong (CLAG; LAG)",
       .source = "Richtarik et al. 2022, arXiv 2202.00998; Chen et al. 2018, arXiv 1805.09965"},
      {.name = "cbag",
       .reference = Reference::kShift,
       .alpha = 1,
       .takes_shift = true,
       .opens_dense = true,
       .gate = Gate::kCoin,
       .gate_level = 0.75,
       .summary = "ef21 that is sent with probability p, each worker by itself (CBAG; BAG)",
       .source = "Islamov et al. 2022, arXiv 2206.03588"},
      {.name = "adaptive",
       .reference = Reference::kShift,
       .alpha = 1,
       .takes_shift = true,
       .opens_dense = true,
       .gate = Gate::kAdaptive,
       .summary =
           "ef21 that sends as many elements as the estimate was wrong before, of the change since (adaptive Top-K)",
       .source = "Islamov et al. 2022, arXiv 2206.03588"},
  };
  return links;
}

const std::vector<Link>& DownLinks() {
  static const std::vector<Link> links = {
      {.name = "raw", .summary = "no memory", .source = "Bernstein et al. 2018, arXiv 1802.04434"},
      {.name = "ef",
       .kappa = 1,
       .lambda = 1,
       .summary = "error feedback at the owner of each piece",
       .source = "Tang et al. 2019, arXiv 1905.05957"},
      {.name = "dore",
       .beta = Rule::kHalfDamping,
       .kappa = Rule::kDoreEta,
       .lambda = Rule::kDoreEta,
       .step_inside = true,
       .for_unbiased = true,
       .summary = "the step of the model, with a share eta of what was left out; the model takes a share beta",
       .source = "Liu et al. 2020, arXiv 1910.07561"},
  };
  return links;
}

const Link& FindLink(std::string_view name) { return Find(Links(), name); }
const Link& FindDownLink(std::string_view name) { return Find(DownLinks(), name); }

}  // namespace gradwire
