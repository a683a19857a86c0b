// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "estimate/sampled.h"

namespace gradwire {

/// h + theta Z (grad f_i(x) - h), then h <- h + Z (grad f_i(x) - h), h starting at 0: Z keeps one of theta blocks of
/// coordinates, each as likely as the others, so that E theta Z = I (SEGA: Hanzely, Mishchenko, Richtarik, NeurIPS
/// 2018, arXiv 1809.03054). Noise of the oracle is the same in both places (N-SEGA). A sketch of a gradient, not of a
/// sum: all samples are read, and here all coordinates are computed as well.
class Sega : public OverSamples {
 public:
  /// Blocks of `block` coordinates in their order; the last one may be shorter.
  Sega(std::shared_ptr<const FiniteSum> f, Streams streams, const Noise& noise, size_t block)
      : OverSamples(std::move(f), streams, noise), block_(block) {}

  /// The block and theta are the one draw.
  Handle Next(const Round& round) const override {
    const size_t blocks = (dimension() + block_ - 1) / block_;
    Philox random = BitsOf(round.draw());
    return {{{random.Below(static_cast<uint32_t>(blocks)), static_cast<double>(blocks)}}, false, round.draw()};
  }
  std::optional<std::vector<Draw>> Samples(const Round&) const override { return std::nullopt; }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    h_.resize(x.size());
    std::vector<double> gradient(x.size());
    All(handle.step, x, gradient);
    std::copy(h_.begin(), h_.end(), out.begin());
    for (const Draw& draw : handle.draws) {
      const size_t begin = draw.sample * block_, end = std::min(begin + block_, x.size());
      for (size_t j = begin; j < end; ++j) {
        out[j] += draw.weight * (gradient[j] - h_[j]);
        h_[j] = gradient[j];
      }
    }
  }
  Memory memory() override {
    Memory memory = OverSamples::memory();
    memory.vectors = {&h_};
    return memory;
  }

 private:
  size_t block_;
  std::vector<double> h_;
};

}  // namespace gradwire
