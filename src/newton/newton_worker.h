// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "problem/problem.h"

namespace gradwire {

/// What a worker computes of its f_i: value, gradient and Hessian, of all its samples. Not thread-safe.
class NewtonWorker {
 public:
  NewtonWorker(std::shared_ptr<const Problem> problem, size_t worker);

  void Gradient(std::span<const double> x);                           ///< into gradient()
  void AddHessian(std::span<const double> x, std::span<double> out);  ///< packed, to what is there
  void Value(std::span<const double> x);                              ///< into number()
  /// ||H_i - hess f_i|| in Frobenius' norm, into number(); `held`: H_i; both packed.
  void Error(std::span<const double> held, std::span<const double> hessian);
  /// (H_i + l_i I) w, l_i being number(), into formed(). `held`: H_i, packed.
  void Form(std::span<const double> held, std::span<const double> w);

  std::span<double> gradient() { return gradient_; }
  std::span<double> formed() { return formed_; }
  std::span<double> number() { return {&number_, 1}; }

  /// How many of them were computed: each is a pass over the worker's samples.
  struct Counts {
    uint64_t values = 0, gradients = 0, hessians = 0;

    uint64_t passes() const { return values + gradients + hessians; }
    template <typename Archive>
    void serialize(Archive& archive) {
      archive(values, gradients, hessians);
    }
  };
  Counts counts;

 private:
  std::shared_ptr<const Problem> problem_;
  const size_t worker_;
  std::vector<double> gradient_, formed_;
  double number_ = 0;
};

}  // namespace gradwire
