// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "analysis/models.h"
#include "gradwire/compressor.h"

namespace gradwire {

/// x <- x - eta mean_i C(g_i): the workers' gradients go through the operator itself, are encoded and decoded as in an
/// exchange. SGD, sign methods and DCSGD are this with the operators identity, sign:plain and any.
class GradientMethod final : public Process {
 public:
  explicit GradientMethod(const MethodSettings& settings);

  size_t size() const override { return settings_.curvature.size(); }
  void Begin(std::span<double> state) const override;
  void Step(size_t k, PathContext& path, std::span<double> state) const override;
  double step_time() const override { return settings_.eta; }

 private:
  const MethodSettings settings_;
  const std::shared_ptr<const Compressor> compressor_;
};

/// The row's function.
std::unique_ptr<const Process> MakeGradientMethod(const MethodSettings& settings);

/// omega of an operator with E C(x) = x and E (C(x)_j - x_j)^2 = omega x_j^2 for every j, drawn by each worker for
/// itself. Throws ConfigError ("no formula for ...") for another operator.
double ElementOmega(std::string_view compressor, size_t dimension);

}  // namespace gradwire
