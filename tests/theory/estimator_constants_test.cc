// SPDX-License-Identifier: Apache-2.0
// The constants that estimators declare, against what they do: exact expectations by enumeration of the samples and
// coins, means over draws where noise is Gaussian.
#include "theory/estimator_constants.h"

#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "estimate/sampling.h"
#include "gradwire/error.h"
#include "support/outcomes.h"

namespace gradwire {
namespace {

using testing::Outcome;
using Vector = std::vector<double>;

constexpr size_t kWorker = 1;

double SquareDistance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t j = 0; j < a.size(); ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
  return sum;
}

struct Case {
  const char* name;
  const char* estimator;
  const char* sampling = "uniform";
  int64_t batch = 1;
  Vector probabilities = {};
  int64_t block = 1;
  const char* noise = "none";
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

/// One worker's estimator on a problem, with what the inequalities speak of.
class Trial {
 public:
  Trial(const Case& c, std::shared_ptr<const Problem> problem)
      : problem_(std::move(problem)), f_(*problem_->workers[kWorker]), star_(problem_->minimiser->x), at_star_(d()) {
    config_.name = c.estimator, config_.sampling = c.sampling, config_.batch = c.batch;
    config_.probabilities = c.probabilities, config_.block = c.block, config_.noise = ParseNoise(c.noise);
    estimator_ = MakeEstimator(config_, problem_, kWorker, 5);
    sampling_ = MakeSampling(config_, f_, 5, kWorker);
    constants_ = ConstantsOf(*problem_, kWorker, config_);
    f_.Gradient(star_, at_star_);
  }

  size_t d() const { return star_.size(); }
  const Vector& star() const { return star_; }
  EstimatorConstants& constants() { return constants_; }

  /// What a round may choose: samples, or blocks, or nothing, and whether the anchor moves.
  std::vector<std::pair<double, Handle>> Rounds() const {
    std::vector<Outcome> outcomes = {{1, {}}};
    if (FindEstimator(config_.name).draws_samples) outcomes = testing::Outcomes(config_, f_);
    if (config_.name == "sega") outcomes = Blocks();
    const double p = config_.name == "lsvrg" ? 1 / static_cast<double>(f_.samples()) : 0;
    std::vector<std::pair<double, Handle>> rounds;
    for (const Outcome& outcome : outcomes) {
      rounds.push_back({outcome.probability * (1 - p), {outcome.draws, false}});
      if (p > 0) rounds.push_back({outcome.probability * p, {outcome.draws, true}});
    }
    return rounds;
  }

  /// Lets all of the memory see the point.
  void Remember(const Vector& y) {
    Vector out(d());
    for (auto& [probability, handle] : Rounds()) handle.refresh = true, estimator_->Estimate(y, handle, out);
  }
  /// The same of another point for each choice.
  void RememberMany(double phase) {
    Vector out(d());
    for (auto& [probability, handle] : Rounds()) {
      Vector y = star_;
      for (size_t j = 0; j < d(); ++j) y[j] += std::cos(phase += 1.7);
      estimator_->Estimate(y, handle, out);
    }
  }

  /// sigma^2 in the words of EstimatorConstantsRow::sigma.
  double Sigma() const {
    const Estimator::Memory memory = estimator_->memory();
    if (memory.vectors.empty() || config_.name == "star") return 0;
    const Vector& first = *memory.vectors[0];
    if (config_.name == "sega")
      return first.empty() ? SquareDistance(Vector(d()), at_star_) : SquareDistance(first, at_star_);
    double sum = 0;
    for (uint32_t l = 0; l < f_.samples(); ++l) {
      const Vector known = config_.name == "saga" ? Vector(&first[l * d()], &first[l * d()] + d()) : SampleAt(l, first);
      sum += sampling_->Spread(l) * SquareDistance(known, SampleAt(l, star_));
    }
    return sum / static_cast<double>(f_.samples());
  }

  /// D of the worker's own function.
  double Bregman(const Vector& x) const {
    double inner = 0;
    for (size_t j = 0; j < d(); ++j) inner += at_star_[j] * (x[j] - star_[j]);
    return f_.Value(x) - f_.Value(star_) - inner;
  }

  /// Both sides of both inequalities at x, of the memory as it is.
  struct Sides {
    double moment = 0, moment_bound = 0, sigma = 0, sigma_bound = 0;
  };
  Sides At(const Vector& x) {
    Sides sides;
    const std::vector<Vector> memory = Saved();
    const double before = Sigma();
    auto rounds = Rounds();
    const uint64_t repeats = config_.noise.is_none() ? 1 : 1200 / rounds.size();
    Vector out(d());
    for (auto& [probability, handle] : rounds)
      for (uint64_t i = 0; i < repeats; ++i) {
        handle.step = ++step_;
        estimator_->Estimate(x, handle, out);
        sides.moment += probability / static_cast<double>(repeats) * SquareDistance(out, at_star_);
        sides.sigma += probability / static_cast<double>(repeats) * Sigma();
        Restore(memory);
      }
    const EstimatorConstants& c = constants_;
    const double bregman = Bregman(x);
    sides.moment_bound = 2 * c.a * bregman + c.b * before + c.d1;
    sides.sigma_bound = (1 - c.rho) * before + 2 * c.c * bregman + c.d2;
    return sides;
  }

  /// The direction in which the worker's gradient changes most, of length 1.
  Vector Steepest() const {
    Vector v(d()), gradient(d());
    for (size_t j = 0; j < d(); ++j) v[j] = std::cos(0.3 + static_cast<double>(j));
    for (int k = 0; k < 300; ++k) {
      const double norm = std::sqrt(SquareDistance(v, Vector(d())));
      Vector x = star_;
      for (size_t j = 0; j < d(); ++j) x[j] += v[j] / norm * 1e-3;
      f_.Gradient(x, gradient);
      for (size_t j = 0; j < d(); ++j) v[j] = gradient[j] - at_star_[j];
    }
    const double norm = std::sqrt(SquareDistance(v, Vector(d())));
    for (double& value : v) value /= norm;
    return v;
  }

 private:
  std::vector<Outcome> Blocks() const {
    const auto block = static_cast<size_t>(config_.block), count = (d() + block - 1) / block;
    std::vector<Outcome> outcomes;
    for (uint32_t b = 0; b < count; ++b)
      outcomes.push_back({1 / static_cast<double>(count), {{b, static_cast<double>(count)}}});
    return outcomes;
  }
  Vector SampleAt(uint32_t l, const Vector& x) const {
    Vector gradient(d());
    const Draw draw{l, 1};
    f_.AddGradient({&draw, 1}, x, gradient);
    return gradient;
  }
  std::vector<Vector> Saved() const {
    std::vector<Vector> saved;
    for (const Vector* vector : estimator_->memory().vectors) saved.push_back(*vector);
    return saved;
  }
  void Restore(const std::vector<Vector>& saved) {
    for (size_t i = 0; i < saved.size(); ++i) *estimator_->memory().vectors[i] = saved[i];
  }

  std::shared_ptr<const Problem> problem_;
  const FiniteSum& f_;
  Vector star_, at_star_;
  EstimatorConfig config_;
  std::unique_ptr<Estimator> estimator_;
  std::unique_ptr<Sampling> sampling_;
  EstimatorConstants constants_;
  uint64_t step_ = 0;
};

Vector Away(const Vector& star, const Vector& direction, double length) {
  Vector x = star;
  for (size_t j = 0; j < x.size(); ++j) x[j] += length * direction[j];
  return x;
}

/// Calls `see` with both sides at many points, near and far, for many memories: of the mirrored point, where both terms
/// of an estimate add up, of x* and of points of all kinds.
void Everywhere(Trial& trial, const std::function<void(const Trial::Sides&)>& see) {
  std::vector<Vector> directions = {trial.Steepest()};
  for (const double phase : {0.0, 1.0, 2.0}) {
    directions.emplace_back(trial.d());
    for (size_t j = 0; j < trial.d(); ++j) directions.back()[j] = std::cos(phase + 2.3 * static_cast<double>(j));
  }
  for (const Vector& direction : directions)
    for (const double length : {0.01, 0.3, 3.0}) {
      const Vector x = Away(trial.star(), direction, length);
      trial.Remember(Away(trial.star(), direction, -length)), see(trial.At(x));
      trial.Remember(trial.star()), see(trial.At(x)), see(trial.At(trial.star()));
      trial.RememberMany(length), see(trial.At(x)), see(trial.At(trial.star()));
    }
}

class Constants : public ::testing::TestWithParam<Case> {
 protected:
  /// QH, whose samples differ by a constant vector, and logistic regression of 20 samples, or of 4 where all of their
  /// subsets are gone through.
  std::vector<std::shared_ptr<const Problem>> Problems() const {
    const bool subsets =
        GetParam().sampling == std::string("independent") || GetParam().sampling == std::string("nice");
    return {std::make_shared<Problem>(QH()), std::make_shared<Problem>(LR(subsets ? 25 : 5))};
  }
};

TEST_P(Constants, BoundTheEstimateAndItsMemory) {
  const bool is_exact = GetParam().noise == std::string("none");
  for (const auto& problem : Problems()) {
    Trial trial(GetParam(), problem);
    Everywhere(trial, [&](const Trial::Sides& sides) {
      const double slack = is_exact ? 1e-9 : 0.1;  // of a mean over 1200 draws
      ASSERT_LE(sides.moment, sides.moment_bound * (1 + slack) + 1e-15);
      ASSERT_LE(sides.sigma, sides.sigma_bound * (1 + slack) + 1e-15);
    });
  }
}

INSTANTIATE_TEST_SUITE_P(
    , Constants,
    ::testing::Values(Case{"full", "full"}, Case{"sgd", "sgd"}, Case{"sgd_importance", "sgd", "importance"},
                      Case{"sgd_nice", "sgd", "nice", 2}, Case{"sgd_independent", "sgd", "independent", 1, {0.9, 0.3}},
                      Case{"sgd_partition", "sgd", "partition", 3, {0.5, 0.2, 0.9}}, Case{"star", "star"},
                      Case{"lsvrg", "lsvrg"}, Case{"lsvrg_any", "lsvrg", "importance", 1, {0.2, 0.9}},
                      Case{"saga", "saga"}, Case{"jacsketch", "saga", "nice", 3},
                      Case{"saga_independent", "saga", "independent", 1, {0.9, 0.3}}, Case{"sega", "sega"},
                      Case{"sega_blocks", "sega", "uniform", 1, {}, 3},
                      Case{"noisy_full", "full", "uniform", 1, {}, 1, "absolute:0.5"},
                      Case{"noisy_sgd", "sgd", "uniform", 1, {}, 1, "absolute:0.5"},
                      Case{"n_saga", "saga", "uniform", 1, {}, 1, "absolute:0.5"},
                      Case{"n_saga_relative", "saga", "uniform", 1, {}, 1, "relative:0.5"},
                      Case{"n_sega", "sega", "uniform", 1, {}, 5, "absolute:0.5"},
                      Case{"n_sega_relative", "sega", "uniform", 1, {}, 5, "relative:0.5"}),
    [](const auto& info) { return std::string(info.param.name); });

/// A constant that could be half as large (rho: twice) without anybody seeing it says little.
struct Tight {
  const char* name;
  Case of;
  void (*weaken)(EstimatorConstants&);
};
void PrintTo(const Tight& t, std::ostream* out) { *out << t.name; }

class TightConstants : public ::testing::TestWithParam<Tight> {};

TEST_P(TightConstants, AreBrokenWhereOneIsHalved) {
  int broken = 0;
  for (const auto& problem : {std::make_shared<Problem>(QH()), std::make_shared<Problem>(LR())}) {
    Trial trial(GetParam().of, problem);
    GetParam().weaken(trial.constants());
    Everywhere(trial, [&](const Trial::Sides& sides) {
      broken += sides.moment > sides.moment_bound * 1.001 || sides.sigma > sides.sigma_bound * 1.001;
    });
  }
  EXPECT_GT(broken, 0);
}

constexpr auto kHalfA = [](EstimatorConstants& c) { c.a /= 2; };
constexpr auto kHalfB = [](EstimatorConstants& c) { c.b /= 2; };
constexpr auto kHalfC = [](EstimatorConstants& c) { c.c /= 2; };
constexpr auto kTwiceRho = [](EstimatorConstants& c) { c.rho *= 2; };
constexpr auto kHalfD1 = [](EstimatorConstants& c) { c.d1 /= 2; };
constexpr auto kHalfD2 = [](EstimatorConstants& c) { c.d2 /= 2; };

INSTANTIATE_TEST_SUITE_P(
    , TightConstants,
    ::testing::Values(Tight{"full_a", {"", "full"}, kHalfA}, Tight{"lsvrg_a", {"", "lsvrg"}, kHalfA},
                      Tight{"lsvrg_b", {"", "lsvrg"}, kHalfB}, Tight{"lsvrg_c", {"", "lsvrg"}, kHalfC},
                      Tight{"lsvrg_rho", {"", "lsvrg"}, kTwiceRho}, Tight{"saga_a", {"", "saga"}, kHalfA},
                      Tight{"saga_b", {"", "saga"}, kHalfB}, Tight{"saga_c", {"", "saga"}, kHalfC},
                      Tight{"saga_rho", {"", "saga"}, kTwiceRho}, Tight{"sega_a", {"", "sega"}, kHalfA},
                      Tight{"sega_b", {"", "sega"}, kHalfB}, Tight{"sega_c", {"", "sega"}, kHalfC},
                      Tight{"sega_rho", {"", "sega"}, kTwiceRho},
                      Tight{"noisy_full_d1", {"", "full", "uniform", 1, {}, 1, "absolute:0.5"}, kHalfD1},
                      Tight{"n_saga_d2", {"", "saga", "uniform", 1, {}, 1, "absolute:0.5"}, kHalfD2},
                      Tight{"n_sega_d2", {"", "sega", "uniform", 1, {}, 5, "absolute:0.5"}, kHalfD2}),
    [](const auto& info) { return std::string(info.param.name); });

/// QH: L_i = L_il = 10, m = 8, d = 20, worked out by hand.
TEST(EstimatorConstantsOf, AreThoseOfTheTable) {
  const Problem qh = QH();
  const auto expect = [&](const Case& c, double a, double b, double rho, double cc) {
    EstimatorConfig config;
    config.name = c.estimator, config.block = c.block;
    const EstimatorConstants all = ConstantsOf(qh, config);
    const double found[] = {all.a, all.b, all.rho, all.c}, expected[] = {a, b, rho, cc};
    EXPECT_THAT(found, ::testing::Pointwise(::testing::DoubleNear(1e-9), expected)) << c.estimator;
  };
  expect({"", "full"}, 10, 0, 1, 0);
  expect({"", "sgd"}, 20, 0, 1, 0);
  expect({"", "star"}, 20, 0, 1, 0);
  expect({"", "lsvrg"}, 20, 2, 0.125, 1.25);
  expect({"", "saga"}, 20, 2, 0.125, 1.25);
  expect({"", "sega"}, 400, 40, 0.05, 0.5);
  expect({"", "sega", "uniform", 1, {}, 5}, 80, 8, 0.25, 2.5);
  EstimatorConfig svrg;
  svrg.name = "svrg";
  EXPECT_THROW(ConstantsOf(qh, svrg), Error);
}

}  // namespace
}  // namespace gradwire
