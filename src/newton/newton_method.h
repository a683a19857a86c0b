// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "gradwire/exchange_parts.h"
#include "newton/newton_config.h"
#include "problem/problem.h"

namespace gradwire {

/// A Newton method is a named row of parts: what the server knows of the Hessians and when, how it steps, and what
/// carries gradients, Hessians and the model.
struct NewtonMethod {
  /// Which Hessians there are.
  enum class Hessians {
    kLearned,     ///< of every round, through a map with memory
    kBare,        ///< of every round, as they are
    kFirst,       ///< of the first point, once
    kAtSolution,  ///< mean hess f_i(x*): theory, and no message
  };
  /// How the server comes from x to the next point; B is [H]_mu or H + l I.
  enum class Step {
    kSolve,       ///< x - B^-1 g
    kLineSearch,  ///< along -B^-1 g, as far as f falls (Armijo)
    kCubic,       ///< argmin of <g, h> + <B h, h> / 2 + (M / 6) ||h||^3
    kFormed,      ///< B^-1 of the mean of the workers' (H_i + l_i I) w_i - grad f_i(w_i), each kept from its last round
  };

  std::string_view name;
  Hessians hessians = Hessians::kLearned;
  Step step = Step::kSolve;
  bool learns_first = false;  ///< H knows this round's Hessians before it is used (Newton-3PC); else those before it
  bool shifted = false;       ///< option 2, H + l I, where nothing else is said
  std::string_view map = "ef21";
  std::string_view compressor = "topk:1%";
  std::string_view model = "identity";
  double gradient_p = 1;
  std::string_view participation = "all";
  std::string_view summary = {};
  std::string_view source = {};

  bool is_formed() const { return step == Step::kFormed; }
  bool exchanges_hessians() const { return hessians != Hessians::kAtSolution; }
};

/// Every one there is.
const std::vector<NewtonMethod>& NewtonMethods();
/// Throws ConfigError ("newton.method: ...") that names the nearest.
const NewtonMethod& FindNewtonMethod(std::string_view name);

/// What a configuration makes of a row. Immutable.
struct NewtonParts {
  const NewtonMethod* method;
  ExchangeParts hessian;  ///< of channel kHessians, unless they are not exchanged
  ExchangeParts model;    ///< of the server's messages
  bool shifted;           ///< H + l I, else [H]_mu
  double mu = 0, cubic = 0, shrink = 0.5, slope = 0.5;
  double gradient_p = 1;
  Participation participation = {};
  uint64_t seed = 0;
  const BitRule* count_as = nullptr;  ///< of all messages: see ExchangeParts

  /// Whether l_i = ||H_i - hess f_i|| is measured and sent.
  bool has_errors() const { return shifted; }
};

/// Throws ConfigError that begins with the key, "newton.map: ...", where values do not go together or, for the problem,
/// need something that it does not have. `count_as`: see ExchangeParts.
NewtonParts MakeNewtonParts(const NewtonConfig& config, const Problem& problem, uint64_t seed,
                            const BitRule* count_as = nullptr);
/// The same before a problem is there.
void Check(const NewtonConfig& config);
/// The Hessians' operator, where it is the method's, by its spec.
void Settle(NewtonConfig& config);

}  // namespace gradwire
