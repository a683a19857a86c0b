// SPDX-License-Identifier: Apache-2.0
#include "problem/logistic.h"

#include <algorithm>
#include <cmath>

namespace gradwire {
namespace {

/// log(1 + exp(-z)), without overflow.
double Loss(double z) { return z > 0 ? std::log1p(std::exp(-z)) : std::log1p(std::exp(z)) - z; }

/// 1 / (1 + exp(z)), without overflow: minus the derivative of Loss.
double Slope(double z) {
  const double e = std::exp(-std::abs(z));
  return (z > 0 ? e : 1.0) / (1 + e);
}

class Logistic : public FiniteSum {
 public:
  Logistic(std::shared_ptr<const LabelledRows> rows, size_t first, size_t last, double lambda, Regulariser regulariser)
      : rows_(std::move(rows)),
        first_(first),
        samples_(last - first),
        lambda_(lambda),
        convex_(regulariser == Regulariser::kRidge) {}

  size_t dimension() const override { return rows_->columns; }
  size_t samples() const override { return samples_; }

  double Value(std::span<const double> x) const override {
    double losses = 0, penalty = 0;
    for (size_t l = 0; l < samples_; ++l) losses += Loss(Margin(l, x));
    for (const double v : x) penalty += convex_ ? 0.5 * v * v : v * v / (1 + v * v);
    return losses / static_cast<double>(samples_) + lambda_ * penalty;
  }

  void Gradient(std::span<const double> x, std::span<double> out) const override {
    std::fill(out.begin(), out.end(), 0.0);
    for (size_t l = 0; l < samples_; ++l) AddLoss(l, 1 / static_cast<double>(samples_), x, out);
    AddPenalty(1, x, out);
  }

  void AddGradient(std::span<const Draw> draws, std::span<const double> x, std::span<double> out) const override {
    double weight = 0;
    for (const Draw& draw : draws) AddLoss(draw.sample, draw.weight, x, out), weight += draw.weight;
    AddPenalty(weight, x, out);
  }

  void AddHessian(std::span<const double> x, double weight, std::span<double> out) const override {
    for (size_t l = 0; l < samples_; ++l) {
      const double slope = Slope(Margin(l, x));
      AddOuter(l, weight * slope * (1 - slope) / static_cast<double>(samples_), out);
    }
    for (size_t j = 0; j < x.size(); ++j) out[j * (x.size() + 1)] += weight * lambda_ * Bend(x[j]);
  }

  void AddCurvature(double weight, std::span<double> out) const override {
    for (size_t l = 0; l < samples_; ++l) AddOuter(l, weight / (4 * static_cast<double>(samples_)), out);
    for (size_t j = 0; j < dimension(); ++j) out[j * (dimension() + 1)] += weight * PenaltySmoothness();
  }

  double SampleSmoothness(size_t sample) const override {
    double square = 0;
    for (size_t k = Begin(sample); k < Begin(sample + 1); ++k) square += rows_->value[k] * rows_->value[k];
    return square / 4 + PenaltySmoothness();
  }

 private:
  size_t Begin(size_t sample) const { return rows_->begin[first_ + sample]; }
  double Label(size_t sample) const { return rows_->label[first_ + sample]; }
  double PenaltySmoothness() const { return convex_ ? lambda_ : 2 * lambda_; }
  /// The penalty's second derivative in one coordinate, over lambda.
  double Bend(double v) const { return convex_ ? 1 : (2 - 6 * v * v) / ((1 + v * v) * (1 + v * v) * (1 + v * v)); }

  /// y <a, x>.
  double Margin(size_t sample, std::span<const double> x) const {
    double sum = 0;
    for (size_t k = Begin(sample); k < Begin(sample + 1); ++k) sum += rows_->value[k] * x[rows_->column[k]];
    return Label(sample) * sum;
  }

  void AddLoss(size_t sample, double weight, std::span<const double> x, std::span<double> out) const {
    const double factor = -weight * Label(sample) * Slope(Margin(sample, x));
    for (size_t k = Begin(sample); k < Begin(sample + 1); ++k) out[rows_->column[k]] += factor * rows_->value[k];
  }

  void AddPenalty(double weight, std::span<const double> x, std::span<double> out) const {
    for (size_t j = 0; j < x.size(); ++j) {
      const double root = 1 + x[j] * x[j];
      out[j] += weight * lambda_ * (convex_ ? x[j] : 2 * x[j] / (root * root));
    }
  }

  /// out += weight a a^T.
  void AddOuter(size_t sample, double weight, std::span<double> out) const {
    for (size_t k = Begin(sample); k < Begin(sample + 1); ++k)
      for (size_t j = Begin(sample); j < Begin(sample + 1); ++j)
        out[rows_->column[k] * dimension() + rows_->column[j]] += weight * rows_->value[k] * rows_->value[j];
  }

  std::shared_ptr<const LabelledRows> rows_;
  size_t first_, samples_;
  double lambda_;
  bool convex_;
};

}  // namespace

std::shared_ptr<const FiniteSum> MakeLogistic(std::shared_ptr<const LabelledRows> rows, size_t first, size_t last,
                                              double lambda, Regulariser regulariser) {
  return std::make_shared<Logistic>(std::move(rows), first, last, lambda, regulariser);
}

}  // namespace gradwire
