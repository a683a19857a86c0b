// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "averaging/averaging.h"
#include "averaging/meetings.h"
#include "gossip/mixing.h"

namespace gradwire {

/// x_i <- the mean of those in its group who answer. `needs_all`: where one of a group does not, none of it gets a
/// mean, as in an all-reduce, and what was sent was sent for nothing. Members are summed by their number.
std::unique_ptr<Averaging> AverageGroups(std::unique_ptr<Meetings> meetings, bool needs_all = false);

/// x_i <- x_i + sum_j w_ij (x_j - x_i) over the neighbours who answer: the mean is kept, since W is symmetric.
std::unique_ptr<Averaging> AverageNeighbours(Mixing mixing);

/// Push-sum over a directed exponential graph (Assran et al. 2019, arXiv 1811.10792): in round t a peer keeps a third
/// of (w x, w), and sends a third each to the peers 2^h and 2^(h+1) places on, h = t mod floor(log2(n - 1)); to a peer
/// that does not answer it sends nothing, and divides by one less. x is the quotient of what came: sum_i w_i x_i is
/// kept, with it what all tend to, the mean. Peers are `peers`.
std::unique_ptr<Averaging> PushSum(size_t peers);

}  // namespace gradwire
