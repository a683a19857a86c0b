// SPDX-License-Identifier: Apache-2.0
#include "analysis/gradient_method.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

// Their errors are of an element alone: E (C(x)_j - x_j)^2 = omega x_j^2, with equality.
constexpr std::array<std::string_view, 3> kOmegaOfElements = {"identity", "randk", "bernoulli"};

}  // namespace

GradientMethod::GradientMethod(const MethodSettings& settings)
    : settings_(settings), compressor_(ParseCompressor(settings.compressor)) {}

void GradientMethod::Begin(std::span<double> state) const { std::ranges::fill(state, settings_.start); }

void GradientMethod::Step(size_t k, PathContext& path, std::span<double> state) const {
  const Scratch::Scope scope(path.lane.scratch);
  const size_t d = state.size(), n = settings_.workers;
  const Site site{.seed = path.seed, .step = k, .parameter = path.path, .piece = Piece::Whole(d)};
  const auto values = path.lane.scratch.Take<double>(d), weights = path.lane.scratch.Take<double>(n);
  const auto payloads = path.lane.scratch.Make<Payload>(n);
  const double scale = settings_.noise_scale();
  for (uint32_t worker = 0; worker < n; ++worker) {
    for (size_t j = 0; j < d; ++j)
      values[j] = settings_.curvature[j] * state[j] + scale * settings_.noise.Draw(path.noise);
    const auto out = path.lane.scratch.Take<std::byte>(compressor_->Bytes(site.piece, Dtype::kF64));
    Site from = site;
    from.worker = worker;
    const size_t bytes = compressor_->Encode(from, path.lane, values, 1.0, {}, {}, out).bytes;
    payloads[worker] = {out.first(bytes), worker}, weights[worker] = 1 / static_cast<double>(n);
  }
  compressor_->Decode(site, path.lane, payloads, weights, Into::kWrite, values);
  for (size_t j = 0; j < d; ++j) state[j] -= settings_.eta * values[j];
}

std::unique_ptr<const Process> MakeGradientMethod(const MethodSettings& settings) {
  return std::make_unique<GradientMethod>(settings);
}

double ElementOmega(std::string_view compressor, size_t dimension) {
  const auto parsed = ParseCompressor(compressor);
  const std::string spec = parsed->spec();
  const bool is_known = std::ranges::any_of(kOmegaOfElements, [&](std::string_view name) {
    return spec == name || spec.starts_with(std::string(name) + ":");
  });
  const bool draws_alike = parsed->linear() && !parsed->is_identity();
  if (!is_known || !parsed->unbiased() || draws_alike)
    throw ConfigError("compressor",
                      fmt::format("no formula for {}: expected an unbiased operator whose squared error "
                                  "is omega x_j^2 in each element and drawn by each worker for itself: {}",
                                  spec, fmt::join(kOmegaOfElements, ", ")));
  return *parsed->omega(Piece::Whole(dimension));
}

}  // namespace gradwire
