// SPDX-License-Identifier: Apache-2.0
#include "theory/estimator_constants.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "estimate/sampling.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

double Square(std::span<const double> x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return sum;
}

/// What a row's numbers are made of.
class OneWorker {
 public:
  OneWorker(const Problem& problem, size_t worker, const EstimatorConfig& estimator)
      : problem_(problem),
        f_(*problem.workers[worker]),
        estimator_(estimator),
        sampling_(MakeSampling(estimator, f_, 0, worker)),
        worker_(worker) {
    if (!problem.minimiser) throw Error("ConstantsOf: x* is not known");
  }

  double L() const { return problem_.worker_smoothness[worker_]; }
  /// The noise counts like a gradient that is so much larger.
  double Stretch() const { return is_relative() ? 1 + 2 * S() * S() : 1; }
  double Blocks() const {
    const auto block = static_cast<size_t>(estimator_.block);
    return static_cast<double>((f_.dimension() + block - 1) / block);
  }
  double Period() const { return static_cast<double>(AnchorPeriod(estimator_, problem_, worker_)); }
  double Least() const {
    double least = 1;
    for (size_t l = 0; l < f_.samples(); ++l) least = std::min(least, sampling_->Probability(l));
    return least;
  }
  /// max c_l L_il, each times p_l where the weight is that.
  double LargestL(bool times_p) const {
    double most = 0;
    for (size_t l = 0; l < f_.samples(); ++l)
      most = std::max(most, (times_p ? sampling_->Probability(l) : 1) * sampling_->Spread(l) * f_.SampleSmoothness(l));
    return most;
  }
  /// s^2 of the whole gradient at x*.
  double Noise() const { return NoiseOf(GradientAtMinimiser()); }
  /// The mean over the samples of c_l s_l^2 at x*, each times p_l where the weight is that.
  double SampleNoise(bool times_p) const {
    return Mean([&](size_t l, std::span<const double> g) {
      return (times_p ? sampling_->Probability(l) : 1) * sampling_->Spread(l) * NoiseOf(g);
    });
  }
  /// v^2 - ||grad f_i(x*)||^2: at least the variance of a batch's gradient at x*.
  double Variance() const {
    return Mean([&](size_t l, std::span<const double> g) { return sampling_->Spread(l) * Square(g); }) -
           Square(GradientAtMinimiser());
  }

 private:
  double S() const { return estimator_.noise.deviation; }
  bool is_relative() const { return estimator_.noise.kind == gradwire::Noise::Kind::kRelative; }
  /// E ||noise||^2 is at most this and (Stretch() - 1) of the gradient's change since x*.
  double NoiseOf(std::span<const double> at_minimiser) const {
    return S() * S() * (is_relative() ? 2 * Square(at_minimiser) : static_cast<double>(f_.dimension()));
  }
  std::vector<double> GradientAtMinimiser() const {
    std::vector<double> gradient(f_.dimension());
    f_.Gradient(problem_.minimiser->x, gradient);
    return gradient;
  }
  template <typename Of>
  double Mean(const Of& of) const {
    double sum = 0;
    for (uint32_t l = 0; l < f_.samples(); ++l) {
      std::vector<double> gradient(f_.dimension());
      const Draw draw{l, 1};
      f_.AddGradient({&draw, 1}, problem_.minimiser->x, gradient);
      sum += of(l, gradient);
    }
    return sum / static_cast<double>(f_.samples());
  }

  const Problem& problem_;
  const FiniteSum& f_;
  const EstimatorConfig& estimator_;
  std::unique_ptr<Sampling> sampling_;
  size_t worker_;
};

struct Row : EstimatorConstantsRow {
  EstimatorConstants (*of)(const OneWorker&);
};

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
      {{"full", "A = Li, D1 = s^2", "0"},
       [](const OneWorker& w) -> EstimatorConstants { return {.a = w.L() * w.Stretch(), .d1 = w.Noise()}; }},
      {{"sgd", "A = 2 L, D1 = 2 (v^2 - ||grad f(x*)||^2) + mean c s^2", "0"},
       [](const OneWorker& w) -> EstimatorConstants {
         return {.a = 2 * w.LargestL(false) * w.Stretch(), .d1 = 2 * w.Variance() + w.SampleNoise(false)};
       }},
      {{"star", "A = 2 L", "0"}, [](const OneWorker& w) -> EstimatorConstants { return {.a = 2 * w.LargestL(false)}; }},
      {{"lsvrg", "A = 2 L, B = 2, rho = p, C = p L of anchors that move with probability p",
        "mean c ||grad f_l(w) - grad f_l(x*)||^2"},
       [](const OneWorker& w) -> EstimatorConstants {
         const double l = w.LargestL(false), p = 1 / w.Period();
         return {.a = 2 * l, .b = 2, .rho = p, .c = p * l};
       }},
      {{"saga", "A = 2 L, B = 2, rho = min p, C = max p c L, D1 = 2 mean c s^2, D2 = mean p c s^2",
        "mean c ||T_l - grad f_l(x*)||^2"},
       [](const OneWorker& w) -> EstimatorConstants {
         return {.a = 2 * w.LargestL(false) * w.Stretch(),
                 .b = 2,
                 .rho = w.Least(),
                 .c = w.LargestL(true) * w.Stretch(),
                 .d1 = 2 * w.SampleNoise(false),
                 .d2 = w.SampleNoise(true)};
       }},
      {{"sega", "A = 2 b Li, B = 2 b, rho = 1/b, C = Li/b, D1 = 2 b s^2, D2 = s^2/b of b blocks",
        "||h - grad f(x*)||^2"},
       [](const OneWorker& w) -> EstimatorConstants {
         const double b = w.Blocks(), l = w.L() * w.Stretch(), s = w.Noise();
         return {.a = 2 * b * l, .b = 2 * b, .rho = 1 / b, .c = l / b, .d1 = 2 * b * s, .d2 = s / b};
       }},
  };
  return rows;
}

}  // namespace

const std::vector<EstimatorConstantsRow>& EstimatorConstantsRows() {
  static const std::vector<EstimatorConstantsRow> rows(Rows().begin(), Rows().end());
  return rows;
}

EstimatorConstants ConstantsOf(const Problem& problem, size_t worker, const EstimatorConfig& estimator) {
  for (const Row& row : Rows())
    if (row.estimator == estimator.name) return row.of({problem, worker, estimator});
  throw Error(fmt::format("ConstantsOf: estimator {} has no constants", estimator.name));
}

EstimatorConstants ConstantsOf(const Problem& problem, const EstimatorConfig& estimator) {
  EstimatorConstants all;
  const size_t n = problem.workers.size();
  for (size_t i = 0; i < n; ++i) {
    const EstimatorConstants one = ConstantsOf(problem, i, estimator);
    all = {std::max(all.a, one.a),
           std::max(all.b, one.b),
           std::min(all.rho, one.rho),
           std::max(all.c, one.c),
           all.d1 + one.d1 / static_cast<double>(n),
           all.d2 + one.d2 / static_cast<double>(n)};
  }
  return all;
}

double SampledSmoothness(const Problem& problem, const EstimatorConfig& estimator) {
  double most = 0;
  for (size_t i = 0; i < problem.workers.size(); ++i) {
    const FiniteSum& f = *problem.workers[i];
    const auto sampling = MakeSampling(estimator, f, 0, i);
    for (size_t l = 0; l < f.samples(); ++l) most = std::max(most, sampling->Spread(l) * f.SampleSmoothness(l));
  }
  return most;
}

}  // namespace gradwire
