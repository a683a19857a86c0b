// SPDX-License-Identifier: Apache-2.0
#include "estimate/filters.h"

#include <algorithm>

namespace gradwire {
namespace {

/// An estimate less a constant.
class Shifted final : public Estimator {
 public:
  Shifted(std::unique_ptr<Estimator> inner, std::vector<double> h) : inner_(std::move(inner)), h_(std::move(h)) {}
  Handle Next(const Round& round) const override { return inner_->Next(round); }
  std::optional<std::vector<Draw>> Samples(const Round& round) const override { return inner_->Samples(round); }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    inner_->Estimate(x, handle, out);
    for (size_t j = 0; j < out.size(); ++j) out[j] -= h_[j];
  }
  uint64_t evaluations() const override { return inner_->evaluations(); }
  Memory memory() override { return inner_->memory(); }

 private:
  std::unique_ptr<Estimator> inner_;
  std::vector<double> h_;
};

}  // namespace

EstimatorConfig UsualEstimator(const Method& method) {
  EstimatorConfig config;
  config.name = method.estimator;
  config.coin = method.coin;
  config.star_shift = method.star_shift;
  return config;
}

void ShareCoin(const Problem& problem, bool is_auto, EstimatorConfig& config, ExchangeParts& parts) {
  if (config.name != "diff") return;
  const Parameter x{"x", {static_cast<int64_t>(problem.dimension())}};
  const double batch = static_cast<double>(config.batch);
  const double samples = config.refresh_batch > 0 ? static_cast<double>(config.refresh_batch)
                                                  : static_cast<double>(problem.workers[0]->samples());
  config.refresh = RefreshProbability(parts, {x}, problem.workers.size());
  if (!is_auto) return;
  config.refresh = std::min(config.refresh, batch / (samples + batch));
  parts.link.refresh = config.refresh;
}

std::unique_ptr<Estimator> MakeShift(std::unique_ptr<Estimator> inner, std::vector<double> h) {
  return std::make_unique<Shifted>(std::move(inner), std::move(h));
}

}  // namespace gradwire
