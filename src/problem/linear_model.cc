// SPDX-License-Identifier: Apache-2.0
#include "problem/linear_model.h"

#include <algorithm>

#include "problem/outer_products.h"
#include "problem/samples.h"

namespace gradwire {
namespace {

class LinearModel final : public FiniteSum {
 public:
  LinearModel(std::shared_ptr<const LabelledRows> rows, size_t first, size_t last, const Loss& loss, double lambda,
              Regulariser regulariser)
      : rows_(std::move(rows)),
        first_(first),
        samples_(last - first),
        loss_(loss),
        lambda_(lambda),
        convex_(regulariser == Regulariser::kRidge) {}

  size_t dimension() const override { return rows_->columns; }
  size_t samples() const override { return samples_; }

  double Value(std::span<const double> x) const override {
    double losses = 0;
    for (size_t l = 0; l < samples_; ++l) losses += loss_.value(Predict(l, x), Target(l));
    return losses / static_cast<double>(samples_) + Penalty(x);
  }

  double Value(std::span<const Draw> draws, std::span<const double> x) const override {
    double value = 0;
    for (const Draw& draw : draws)
      value += draw.weight * (loss_.value(Predict(draw.sample, x), Target(draw.sample)) + Penalty(x));
    return value;
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

  void AddPackedHessian(std::span<const double> x, double weight, std::span<double> out) const override {
    std::vector<double> bends(samples_);
    for (size_t l = 0; l < samples_; ++l)
      bends[l] = weight * loss_.bend(Predict(l, x), Target(l)) / static_cast<double>(samples_);
    AddOuterProducts(*rows_, first_, bends, out);
    for (size_t j = 0, at = 0; j < x.size(); at += x.size() - j++) out[at] += weight * lambda_ * Bend(x[j]);
  }

  void AddCurvature(double weight, std::span<double> out) const override {
    for (size_t l = 0; l < samples_; ++l) AddOuter(l, weight * loss_.most_bend / static_cast<double>(samples_), out);
    for (size_t j = 0; j < dimension(); ++j) out[j * (dimension() + 1)] += weight * PenaltySmoothness();
  }

  std::vector<double> HessianSpan() const override {
    return convex_ ? RowSpan(*rows_, first_, first_ + samples_) : std::vector<double>();
  }

  double SampleSmoothness(size_t sample) const override {
    double square = 0;
    for (size_t k = Begin(sample); k < Begin(sample + 1); ++k) square += rows_->value[k] * rows_->value[k];
    return square * loss_.most_bend + PenaltySmoothness();
  }

 private:
  size_t Begin(size_t sample) const { return rows_->begin[first_ + sample]; }
  double Target(size_t sample) const { return rows_->label[first_ + sample]; }
  double Penalty(std::span<const double> x) const {
    double sum = 0;
    for (const double v : x) sum += convex_ ? 0.5 * v * v : v * v / (1 + v * v);
    return lambda_ * sum;
  }
  double PenaltySmoothness() const { return convex_ ? lambda_ : 2 * lambda_; }
  /// The penalty's second derivative in one coordinate, over lambda.
  double Bend(double v) const { return convex_ ? 1 : (2 - 6 * v * v) / ((1 + v * v) * (1 + v * v) * (1 + v * v)); }

  /// <a, x>.
  double Predict(size_t sample, std::span<const double> x) const {
    double sum = 0;
    for (size_t k = Begin(sample); k < Begin(sample + 1); ++k) sum += rows_->value[k] * x[rows_->column[k]];
    return sum;
  }

  void AddLoss(size_t sample, double weight, std::span<const double> x, std::span<double> out) const {
    const double factor = weight * loss_.slope(Predict(sample, x), Target(sample));
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
  const Loss& loss_;
  double lambda_;
  bool convex_;
};

}  // namespace

std::shared_ptr<const FiniteSum> MakeLinearModel(std::shared_ptr<const LabelledRows> rows, size_t first, size_t last,
                                                 const Loss& loss, double lambda, Regulariser regulariser) {
  return std::make_shared<LinearModel>(std::move(rows), first, last, loss, lambda, regulariser);
}

}  // namespace gradwire
