// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "gossip/mixing.h"

namespace gradwire {

/// A method of workers that speak to their neighbours only, as a row of parts. With W the weights, h_i what all know of
/// worker i's model, g_i of its direction, and eta the step size, a round of worker i is
///     x_i <- x_i + gamma sum_j w_ij (h_j - h_i) - eta v_i;               h_i <- h_i + C(x_i - h_i) -> neighbours
///     m_i' = the estimate at x_i, in a momentum of share lambda
///     v_i <- v_i + gamma sum_j w_ij (g_j - g_i) + m_i' - m_i;            g_i <- g_i + C(v_i - g_i) -> neighbours
/// or, where it does not track, v_i <- m_i'. Where it pushes, W is column-stochastic, each x_i has a weight u_i as one
/// more element, 1 at first, that is told and mixed with it, and the model, where the estimate is taken, is z_i = x_i /
/// u_i.
struct GossipMethod {
  std::string_view name;
  bool tracks = false;      ///< v_i follows the mean of all workers' m_i, for a second message a round
  bool compresses = true;   ///< else neighbours get x_i and v_i themselves, and gamma is 1
  bool mixes_sent = false;  ///< x_i - eta v_i is sent first, and then mixed by what all know since
  bool pushes = false;      ///< weights of the workers make up for rows of W that do not add up to 1
  bool in_pairs = false;    ///< no rounds: workers average with one neighbour at a time (PairRounds)
  double lambda = 1;        ///< the usual share of the new estimate in the momentum
  bool two_points = false;  ///< the momentum is corrected by the same samples' estimate at the point before
  std::string_view summary;
  std::string_view source;

  size_t vectors() const { return tracks ? 2 : 1; }  ///< that neighbours are told of: GossipVector
  Stochastic asks() const { return pushes ? Stochastic::kColumns : Stochastic::kDoubly; }
  /// Whether all tell x^0 and v^0 before the first round, where messages are of differences if `dense` says so.
  bool Opens(bool dense) const { return compresses ? dense : !mixes_sent; }
};

const std::vector<GossipMethod>& GossipMethods();

std::vector<std::string_view> GossipMethodNames();
/// Throws ConfigError ("gossip.method: ...").
const GossipMethod& FindGossipMethod(std::string_view name);

}  // namespace gradwire
