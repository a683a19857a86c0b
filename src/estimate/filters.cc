// SPDX-License-Identifier: Apache-2.0
#include "estimate/filters.h"

#include <algorithm>

namespace gradwire {
namespace {

/// A filter around an estimator: out <- Change(out).
class Filter : public Estimator {
 public:
  explicit Filter(std::unique_ptr<Estimator> inner) : inner_(std::move(inner)) {}
  Handle Next(const Round& round) const override { return inner_->Next(round); }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    inner_->Estimate(x, handle, out);
    Change(out);
  }
  uint64_t evaluations() const override { return inner_->evaluations(); }
  Memory memory() override { return inner_->memory(); }

 protected:
  virtual void Change(std::span<double> out) = 0;

 private:
  std::unique_ptr<Estimator> inner_;
};

class Shift : public Filter {
 public:
  Shift(std::unique_ptr<Estimator> inner, std::vector<double> h) : Filter(std::move(inner)), h_(std::move(h)) {}

 protected:
  void Change(std::span<double> out) override {
    for (size_t j = 0; j < out.size(); ++j) out[j] -= h_[j];
  }

 private:
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
  return std::make_unique<Shift>(std::move(inner), std::move(h));
}

}  // namespace gradwire
