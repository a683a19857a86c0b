// SPDX-License-Identifier: Apache-2.0
#include "problem/quadratic.h"

#include "base/symmetric.h"
#include "problem/dense.h"

namespace gradwire {
namespace {

class Quadratic : public FiniteSum {
 public:
  Quadratic(std::vector<double> a, std::vector<double> b, std::vector<double> noise)
      : a_(std::move(a)),
        b_(std::move(b)),
        noise_(std::move(noise)),
        packed_(PackedNumel(b_.size())),
        smoothness_(ExtremeEigenvalues(a_, b_.size()).second) {
    PackSymmetric<double>(b_.size(), a_, packed_);
  }

  size_t dimension() const override { return b_.size(); }
  size_t samples() const override { return noise_.size() / b_.size(); }

  double Value(std::span<const double> x) const override {
    double value = 0;
    for (size_t i = 0; i < x.size(); ++i) value += x[i] * (0.5 * Row(i, x) - b_[i]);
    return value;
  }

  double Value(std::span<const Draw> draws, std::span<const double> x) const override {
    double value = 0;
    for (const Draw& draw : draws)
      value += draw.weight * (Value(x) - Dot({&noise_[draw.sample * x.size()], x.size()}, x));
    return value;
  }

  void Gradient(std::span<const double> x, std::span<double> out) const override {
    for (size_t i = 0; i < x.size(); ++i) out[i] = Row(i, x) - b_[i];
  }

  void AddGradient(std::span<const Draw> draws, std::span<const double> x, std::span<double> out) const override {
    double weight = 0;
    for (const Draw& draw : draws) weight += draw.weight;
    for (size_t i = 0; i < x.size(); ++i) {
      double noise = 0;
      for (const Draw& draw : draws) noise += draw.weight * noise_[draw.sample * x.size() + i];
      out[i] += weight * (Row(i, x) - b_[i]) - noise;
    }
  }

  void AddPackedHessian(std::span<const double>, double weight, std::span<double> out) const override {
    for (size_t k = 0; k < packed_.size(); ++k) out[k] += weight * packed_[k];
  }
  void AddCurvature(double weight, std::span<double> out) const override {
    for (size_t k = 0; k < a_.size(); ++k) out[k] += weight * a_[k];
  }
  double SampleSmoothness(size_t) const override { return smoothness_; }

 private:
  double Row(size_t i, std::span<const double> x) const { return Dot({&a_[i * x.size()], x.size()}, x); }

  std::vector<double> a_, b_, noise_, packed_;
  double smoothness_;
};

}  // namespace

std::shared_ptr<const FiniteSum> MakeQuadratic(std::vector<double> a, std::vector<double> b,
                                               std::vector<double> noise) {
  return std::make_shared<Quadratic>(std::move(a), std::move(b), std::move(noise));
}

}  // namespace gradwire
