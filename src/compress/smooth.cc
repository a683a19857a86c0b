// SPDX-License-Identifier: Apache-2.0
#include "compress/smooth.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <Eigen/Dense>

#include "compress/coins.h"
#include "compress/combination.h"
#include "compress/smooth_rules.h"
#include "compress/transform.h"

namespace gradwire {
namespace {

using Matrix = Eigen::MatrixXd;

/// A sparsifier or a quantiser of images, by the workers' matrices.
struct SmoothRule {
  enum class Kind { kCoins, kSteps, kBlocks };
  Kind kind = Kind::kCoins;
  Weighing weighing = Weighing::kPlain;
  Amount amount = Amount::Count(1);   ///< tau of coins
  std::optional<double> levels = {};  ///< of steps; empty: sqrt(d)/n
  std::string spec = {};              ///< within smooth(...)
};

/// What a rule makes of the workers' matrices.
struct Weighed {
  std::shared_ptr<const Compressor> inner;
  std::vector<double> variance;  ///< Lt_i by worker
};

Weighed Weigh(const SmoothRule& rule, const Smoothness& smoothness) {
  std::vector<std::vector<double>> chances;
  std::vector<QuantiserSteps> steps;
  Weighed weighed;
  for (const std::vector<double>& matrix : smoothness.matrices) {
    const auto d = static_cast<size_t>(std::llround(std::sqrt(static_cast<double>(matrix.size()))));
    std::vector<double> diagonal(d);
    for (size_t j = 0; j < d; ++j) diagonal[j] = matrix[j * (d + 1)];
    const SmoothWorker worker{diagonal, static_cast<double>(smoothness.matrices.size()), smoothness.strong_convexity};
    const double levels = rule.levels.value_or(std::sqrt(static_cast<double>(d)) / worker.n);
    if (rule.kind == SmoothRule::Kind::kCoins) {
      chances.push_back(ChancesOf(worker, rule.weighing, static_cast<double>(rule.amount.Of(Piece::Whole(d)))));
      weighed.variance.push_back(VarianceOf(diagonal, chances.back()));
    } else {
      steps.push_back(rule.kind == SmoothRule::Kind::kSteps ? StepsOf(worker, rule.weighing, levels)
                                                            : BlockStepsOf(worker, rule.weighing, levels));
      weighed.variance.push_back(VarianceOf(diagonal, steps.back()));
    }
  }
  weighed.inner = steps.empty() ? MakeCoinsOf(rule.spec, rule.amount, std::move(chances))
                                : MakeStepsOf(rule.spec, rule.levels, std::move(steps));
  return weighed;
}

/// Lm^{+1/2} there and Lm^{1/2} back, of each worker. Eigenvalues beside 0, as rounding leaves them, are 0: nothing is
/// sent along their vectors, along which f_i has no slope that changes.
class Root {
 public:
  explicit Root(const std::vector<double>& numbers) {
    const auto d = static_cast<Eigen::Index>(std::llround(std::sqrt(static_cast<double>(numbers.size()))));
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(Eigen::Map<const Matrix>(numbers.data(), d, d));
    const Eigen::VectorXd& values = solver.eigenvalues();
    const double beside_0 = 1e-13 * values.cwiseAbs().maxCoeff();
    Eigen::VectorXd roots = Eigen::VectorXd::Zero(d), inverses = roots;
    for (Eigen::Index j = 0; j < d; ++j) {
      if (!(values[j] > beside_0)) continue;
      roots[j] = std::sqrt(values[j]), inverses[j] = 1 / roots[j];
      if (least_ == 0) least_ = values[j];  // they ascend
    }
    const Matrix& v = solver.eigenvectors();
    back_ = v * roots.asDiagonal() * v.transpose();
    forward_ = v * inverses.asDiagonal() * v.transpose();
  }

  size_t size() const { return static_cast<size_t>(forward_.rows()); }
  const Matrix& forward() const { return forward_; }
  const Matrix& back() const { return back_; }
  double least() const { return least_; }  ///< the smallest eigenvalue above 0

 private:
  Matrix forward_, back_;
  double least_ = 0;
};

void Multiply(const Matrix& matrix, std::span<const double> x, std::span<double> y) {
  const auto d = static_cast<Eigen::Index>(x.size());
  Eigen::Map<Eigen::VectorXd>(y.data(), d).noalias() = matrix * Eigen::Map<const Eigen::VectorXd>(x.data(), d);
}

class SmoothTransform final : public Transform {
 public:
  explicit SmoothTransform(SmoothRule rule) : rule_(std::move(rule)) {}
  SmoothTransform(SmoothRule rule, const Smoothness& smoothness, const std::vector<double>& variance)
      : rule_(std::move(rule)) {
    for (size_t i = 0; i < variance.size(); ++i) {
      roots_.emplace_back(smoothness.matrices[i]);
      variance_ = std::max(variance_, variance[i]);
      if (roots_[i].least() > 0) omega_ = std::max(omega_, variance[i] / roots_[i].least());
    }
  }

  std::string name() const override { return "smooth"; }
  Piece Image(const Piece& piece) const override {
    if (!roots_.empty() && piece.numel != roots_.front().size())
      throw std::invalid_argument(fmt::format("smooth: a piece of {} elements, but the matrices are of {}", piece.numel,
                                              roots_.front().size()));
    return piece;
  }
  void Forward(uint32_t worker, std::span<const double> v, std::span<double> image) const override {
    roots_.empty() ? void(std::ranges::copy(v, image.begin())) : Multiply(roots_.at(worker).forward(), v, image);
  }
  void Back(uint32_t worker, std::span<const double> image, std::span<double> v) const override {
    roots_.empty() ? void(std::ranges::copy(image, v.begin())) : Multiply(roots_.at(worker).back(), image, v);
  }
  bool is_isometry() const override { return roots_.empty(); }
  /// E||C(v) - v||^2 = E||C(u) - u||^2_Lm <= Lt ||u||^2 <= Lt ||v||^2 / lambda, with the errors of the elements of u =
  /// Lm^{+1/2} v independent and lambda the smallest eigenvalue above 0.
  std::optional<double> Omega(const Compressor& inner, const Piece& piece) const override {
    return roots_.empty() ? inner.omega(piece) : omega_;
  }
  std::optional<double> Delta(const Compressor& inner, const Piece& piece) const override {
    return ContractionOf(*Omega(inner, piece));
  }

  const SmoothRule& rule() const { return rule_; }
  std::optional<double> variance() const { return roots_.empty() ? std::nullopt : std::optional(variance_); }

 private:
  SmoothRule rule_;
  std::vector<Root> roots_;  // by worker; empty: I
  double variance_ = 0, omega_ = 0;
};

const SmoothTransform* Find(const Compressor& compressor) {
  const auto* parts = dynamic_cast<const TransformedParts*>(&compressor);
  return parts ? dynamic_cast<const SmoothTransform*>(&parts->transform()) : nullptr;
}

/// "coins:1:diana" and its like; empty where it is none.
std::optional<SmoothRule> ReadRule(std::string_view text) {
  std::vector<std::string_view> words = Split(text, ':');
  SmoothRule rule;
  rule.spec = text;
  using Kind = SmoothRule::Kind;
  if (words[0] != "coins" && words[0] != "steps" && words[0] != "blocks") return std::nullopt;
  rule.kind = words[0] == "coins" ? Kind::kCoins : words[0] == "steps" ? Kind::kSteps : Kind::kBlocks;
  if (words.back() == "diana")
    rule.weighing = Weighing::kShifted, words.pop_back();
  else if (words.back() == "uniform" && rule.kind != Kind::kBlocks)
    rule.weighing = Weighing::kUniform, words.pop_back();
  if (words.size() != 2) return words.size() == 1 && rule.kind != Kind::kCoins ? std::optional(rule) : std::nullopt;
  if (rule.kind == Kind::kCoins) {
    rule.amount = ParseAmount("coins", words[1], text);
    return rule.amount.is_of_order() ? std::nullopt : std::optional(rule);  // gradients have no order
  }
  rule.levels = ReadLevelsOfSteps(words[1]);
  return rule.levels ? std::optional(rule) : std::nullopt;
}

}  // namespace

bool NeedsSmoothness(const Compressor& compressor) { return Find(compressor) != nullptr; }

std::shared_ptr<const Compressor> WithSmoothness(const Compressor& compressor, const Smoothness& smoothness) {
  const SmoothRule& rule = Find(compressor)->rule();
  if (rule.weighing == Weighing::kShifted && !(smoothness.strong_convexity > 0))
    throw ConfigError(
        fmt::format("{} weighs by L_j/(n mu), and mu of this problem is 0 or not known; expected one "
                    "without diana",
                    compressor.spec()));
  const Weighed weighed = Weigh(rule, smoothness);
  return MakeTransformed(std::make_shared<SmoothTransform>(rule, smoothness, weighed.variance), weighed.inner);
}

std::optional<double> SmoothVariance(const Compressor& compressor) {
  const SmoothTransform* transform = Find(compressor);
  return transform ? transform->variance() : std::nullopt;
}

std::shared_ptr<const Compressor> MakeSmooth(std::string_view arguments) {
  std::optional<SmoothRule> rule;
  try {
    rule = ReadRule(arguments);
  } catch (const ConfigError& error) {
    throw BadCombination("smooth", arguments, error.what());
  }
  if (!rule)
    throw BadCombination("smooth", arguments,
                         "expected coins with their mean number, steps or blocks, perhaps with a number of levels, and "
                         "perhaps :diana or, of coins and steps, :uniform (smooth(coins:1), smooth(steps:2.5:diana))");
  auto inner = rule->kind == SmoothRule::Kind::kCoins ? MakeCoinsOf(rule->spec, rule->amount)
                                                      : MakeStepsOf(rule->spec, rule->levels);
  return MakeTransformed(std::make_shared<SmoothTransform>(*std::move(rule)), std::move(inner));
}

}  // namespace gradwire
