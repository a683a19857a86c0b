// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace gradwire {

/// The `newton:` section: how workers' Hessians reach a server that steps by their mean. "auto": what the method says.
struct NewtonConfig {
  std::string method = "fednl";     ///< a row of NewtonMethods()
  std::string map = "auto";         ///< what carries the Hessians: a method of `comm`, or 3PC map
  std::string compressor = "auto";  ///< spec of its operator; auto: the method's
  std::string learner = "auto";     ///< spec of the map's second operator
  std::string alpha = "auto";    ///< share of a message that moves the estimate H_i; auto: 1, unbiased ones 1/(1+omega)
  std::string p = "auto";        ///< the map's probability
  std::string zeta = "auto";     ///< of a lazy map
  std::string basis = "auto";    ///< of the Hessians: standard, data or positive
  std::string init = "hessian";  ///< H_i^0: hessian, that at the first point, sent dense, or zero
  std::string option = "auto";   ///< 1: [H]_mu, 2: H + l I
  std::optional<double> mu = {};          ///< of [H]_mu; empty: the problem's strong convexity
  double cubic = 0;                       ///< M of a cubic step: the Lipschitz constant of the Hessian
  double shrink = 0.5;                    ///< of the step from trial to trial of a line search
  double slope = 0.5;                     ///< share of the fall along the tangent that a line search wants
  std::string model = "auto";             ///< spec of the operator on the server's way back
  std::string model_map = "auto";         ///< what carries the model: a method of `comm`
  std::string model_learner = "auto";     ///< spec of that map's second operator
  std::string model_alpha = "auto";       ///< share of the server's message that moves the workers' model
  std::optional<double> gradient_p = {};  ///< probability that a round has gradients of its own
  std::string participation = "auto";     ///< who takes part in a round: see Participation
};

}  // namespace gradwire
