// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

namespace gradwire {

/// A loss l(p, y) of a prediction p = <a, x> and its target y: a row of functions and of what theory needs to know.
struct Loss {
  std::string_view name;                ///< as objective.name has it
  double (*value)(double p, double y);  ///< l
  double (*slope)(double p, double y);  ///< dl/dp
  double (*bend)(double p, double y);   ///< d^2l/dp^2
  double least_bend;                    ///< its infimum: convex where it is not below 0
  double most_bend;                     ///< the supremum of its magnitude: l is smooth with it in p
  bool has_classes;                     ///< y is +1 or -1, and l a function of the margin y p
  bool needs_ridge;                     ///< its sum may have no minimum by itself

  bool is_convex() const { return least_bend >= 0; }
};

/// Every loss there is:
/// logistic: log(1 + exp(-y p)).
/// squared_sigmoid: (1 - 1 / (1 + exp(-y p)))^2, not convex (Gorbunov et al., "MARINA", ICML 2021, arXiv 2102.07845,
///   section 4). Its bend is 2 s^2 (1 - s) (2 - 3 s) with s = 1 / (1 + exp(y p)), extremal where 12 s^2 - 15 s + 4 = 0:
///   0.154058 and -0.120206.
/// least_squares: (p - y)^2 / 2.
/// geman_mcclure: (p - y)^2 / (1 + (p - y)^2), bounded, not convex (Geman and McClure, "Statistical methods for
///   tomographic image reconstruction", 1987): its bend lies between -1/2 and 2.
const std::vector<Loss>& Losses();

/// Null where there is none of that name.
const Loss* FindLoss(std::string_view name);

}  // namespace gradwire
