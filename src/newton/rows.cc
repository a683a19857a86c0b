// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "compress/spec.h"
#include "gradwire/error.h"
#include "newton/newton_method.h"

namespace gradwire {
namespace {

using Hessians = NewtonMethod::Hessians;
using Step = NewtonMethod::Step;

constexpr std::string_view kStar = "Islamov, Qian & Richtarik 2021, arXiv 2102.07158";
constexpr std::string_view kFedNL = "Safaryan, Islamov, Qian & Richtarik 2022, arXiv 2106.02969";
constexpr std::string_view k3PC = "Islamov, Qian, Hanzely, Safaryan & Richtarik 2023, arXiv 2206.03588";
constexpr std::string_view kBL = "Qian, Islamov, Safaryan & Richtarik 2022, arXiv 2111.01847";

}  // namespace

/// The only list of Newton methods: a new one is a row here and its acceptance number in tests/newton/.
const std::vector<NewtonMethod>& NewtonMethods() {
  static const std::vector<NewtonMethod> methods = {
      {.name = "newton",
       .hessians = Hessians::kBare,
       .learns_first = true,
       .summary = "every round's Hessians as they are",
       .source = "Newton's method"},
      {.name = "newton_star",
       .hessians = Hessians::kAtSolution,
       .learns_first = true,
       .summary = "the Hessian at the solution, which nobody knows: for theory",
       .source = kStar},
      {.name = "newton_zero",
       .hessians = Hessians::kFirst,
       .learns_first = true,
       .summary = "the Hessians of the first point, once",
       .source = kStar},
      {.name = "fednl",
       .summary = "learns the Hessians by compressed differences, and steps by those of the rounds before",
       .source = kFedNL},
      {.name = "fednl_pp",
       .step = Step::kFormed,
       .learns_first = true,
       .shifted = true,
       .participation = "nice:50%",
       .summary = "fednl of some workers a round, whose last points the others keep",
       .source = kFedNL},
      {.name = "fednl_ls",
       .step = Step::kLineSearch,
       .summary = "fednl with a line search, from any point",
       .source = kFedNL},
      {.name = "fednl_cr",
       .step = Step::kCubic,
       .shifted = true,
       .summary = "fednl with cubic steps, from any point",
       .source = kFedNL},
      {.name = "fednl_bc",
       .model = "topk:50%",
       .gradient_p = 0.5,
       .summary = "fednl with compressed models on the way back, and gradients in some rounds alone",
       .source = kFedNL},
      {.name = "newton_3pc",
       .learns_first = true,
       .summary = "Hessians through a three-point compressor, those of a point before the step from it",
       .source = k3PC},
      {.name = "newton_3pc_bc",
       .learns_first = true,
       .model = "topk:50%",
       .gradient_p = 0.5,
       .summary = "newton_3pc with a three-point compressor of the models too, and gradients in some rounds alone",
       .source = k3PC},
      {.name = "newton_3pc_bc_pp",
       .step = Step::kFormed,
       .learns_first = true,
       .shifted = true,
       .model = "topk:50%",
       .gradient_p = 0.5,
       .participation = "nice:50%",
       .summary = "newton_3pc_bc of some workers a round",
       .source = k3PC},
      {.name = "newton_3pc_cr",
       .step = Step::kCubic,
       .learns_first = true,
       .shifted = true,
       .summary = "newton_3pc with cubic steps, from any point",
       .source = k3PC},
      {.name = "newton_3pc_ls",
       .step = Step::kLineSearch,
       .learns_first = true,
       .summary = "newton_3pc with a line search, from any point",
       .source = k3PC},
      {.name = "bl1",
       .model = "topk:50%",
       .gradient_p = 0.5,
       .basis = "data",
       .summary = "fednl_bc with Hessians in a basis of each worker's samples",
       .source = kBL},
      {.name = "bl2",
       .step = Step::kFormed,
       .learns_first = true,
       .shifted = true,
       .model = "topk:50%",
       .gradient_p = 0.5,
       .participation = "nice:50%",
       .basis = "data",
       .summary = "bl1 of some workers a round",
       .source = kBL},
      {.name = "bl3",
       .step = Step::kFormed,
       .learns_first = true,
       .shifted = true,
       .model = "topk:50%",
       .gradient_p = 0.5,
       .participation = "nice:50%",
       .basis = "positive",
       .is_positive = true,
       .summary = "bl2 in a basis of positive matrices, by which the server's B is never below the mean Hessian",
       .source = kBL},
  };
  return methods;
}

const NewtonMethod& FindNewtonMethod(std::string_view name) {
  std::vector<std::string_view> names;
  for (const NewtonMethod& method : NewtonMethods()) {
    if (method.name == name) return method;
    names.push_back(method.name);
  }
  const std::string_view near = Nearest(name, names);
  throw ConfigError("newton.method",
                    fmt::format("'{}' is unknown{}; expected one of {}", name,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

}  // namespace gradwire
