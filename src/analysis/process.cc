// SPDX-License-Identifier: Apache-2.0
#include "analysis/process.h"

#include <cmath>
#include <utility>

namespace gradwire {

EulerMaruyama::EulerMaruyama(Sde sde, double dt) : sde_(std::move(sde)), dt_(dt), root_dt_(std::sqrt(dt)) {}

void EulerMaruyama::Step(size_t k, PathContext& path, std::span<double> state) const {
  const Scratch::Scope scope(path.lane.scratch);
  const auto drift = path.lane.scratch.Make<double>(sde_.size), diffusion = path.lane.scratch.Make<double>(sde_.size);
  sde_.coefficients(sde_.first_time + static_cast<double>(k) * dt_, state, drift, diffusion);
  for (size_t j = 0; j < sde_.size; ++j) {
    state[j] += drift[j] * dt_;
    if (diffusion[j] != 0) state[j] += diffusion[j] * root_dt_ * path.noise.Normal();
  }
}

}  // namespace gradwire
