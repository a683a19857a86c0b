// SPDX-License-Identifier: Apache-2.0
#include "estimate/personal.h"

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

class Personal final : public OverSamples {
 public:
  Personal(const std::shared_ptr<const FiniteSum>& f, Streams streams, const Noise& noise, const InnerSolver& inner)
      : OverSamples(f, streams, noise), sum_(*f->personal()), inner_(inner), y_(sum_.own_dimension()) {}

  Handle Next(const Round& round) const override { return {{}, false, round.draw()}; }
  std::optional<std::vector<Draw>> Samples(const Round&) const override { return std::nullopt; }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    CountPasses(SolveInner(inner_, sum_, x, y_) + 1);
    sum_.SharedGradient(x, y_, out);
    AddNoise(handle.step, out);
  }
  Memory memory() override {
    Memory memory = OverSamples::memory();
    if (!inner_.is_exact() && inner_.warm) memory.vectors = {&y_};  // else each round begins anew
    return memory;
  }

 private:
  const PersonalSum& sum_;  // which OverSamples keeps alive
  const InnerSolver inner_;
  std::vector<double> y_;
};

}  // namespace

std::unique_ptr<Estimator> MakePersonal(const EstimatorConfig& config, const std::shared_ptr<const FiniteSum>& f,
                                        const Streams& streams) {
  if (config.name != "full")
    throw ConfigError(
        "objective.estimator",
        fmt::format("found {}, expected full, since a worker's own unknowns are fitted to all its samples",
                    config.name));
  const double most = 2 / f->personal()->own_smoothness();
  if (config.inner.kind == InnerSolver::Kind::kDescent && config.inner.step >= most)
    throw ConfigError(
        "objective.inner_step",
        fmt::format("found {}, expected less than 2 / Lw = {:.6g} of worker {}, from where on inner steps "
                    "go up, or 0 for 1 / Lw",
                    config.inner.step, most, streams.worker));
  return std::make_unique<Personal>(f, streams, config.noise, config.inner);
}

}  // namespace gradwire
