// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "newton/newton_method.h"
#include "newton/newton_server.h"
#include "newton/newton_worker.h"
#include "newton/peers.h"

namespace gradwire {

/// What workers with points of their own report of their estimates, kept from their last round, and how the server's
/// next point is formed of the means. Not thread-safe but for Measure.
class StoredForm {
 public:
  virtual ~StoredForm() = default;

  struct Known {
    std::span<const double> hessian, held;  ///< hess f_i at its point, and H_i; both packed
    std::span<const double> w;              ///< its last point with a gradient
  };
  /// Of a worker that takes part. By one thread for each worker.
  virtual void Measure(size_t i, NewtonWorker& worker, const Known& known) = 0;
  /// Exchanges it; `rests`: by worker, who takes no part.
  virtual void Send(uint64_t step, std::span<const uint8_t> rests) = 0;
  /// The server's next point, with the means of the estimates H_i and of grad f_i(w_i).
  virtual void MovePoint(std::span<const double> h, std::span<const double> gradient, NewtonServer& server) = 0;
};

/// B = H + l I with l_i = ||H_i - hess f_i||: x = B^-1 mean((H_i + l_i I) w_i - grad f_i(w_i)). Opens its channels.
std::unique_ptr<StoredForm> MakeShiftedForm(Peers& peers, const Problem& problem, const NewtonParts& parts);

/// BL3 (Qian et al., AISTATS 2022, arXiv 2111.01847, algorithm 3), whose B is at least the mean Hessian without an l_i.
/// L_i has the coefficients of H_i in the PositiveBasis B^jl, and S is the sum of these. With gamma_i = max(1, max
/// |L_i|), A_i = H_i + 2 gamma_i S and C_i = 2 gamma_i S,
///     beta_i = max over j, l of (h(hess f_i)_jl + 2 gamma_i) / ((L_i)_jl + 2 gamma_i);  beta = max beta_i
///     B = beta mean A_i - mean C_i;  x = B^-1 (beta mean A_i w_i - mean (C_i w_i + grad f_i(w_i)))
/// with all of the last round in which a worker took part. Opens its channels.
std::unique_ptr<StoredForm> MakePositiveForm(Peers& peers, const Problem& problem, const NewtonParts& parts);

/// The parts of a channel whose receivers keep the last vectors, whose changes are sent by those who take part.
ExchangeParts KeptParts(uint64_t seed, const BitRule* count_as);

}  // namespace gradwire
