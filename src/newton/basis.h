// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "compress/transform.h"
#include "problem/problem.h"

namespace gradwire {

// Bases in which workers' Hessians are compressed, as transforms of packed triangles (Basis Learn: Qian, Islamov,
// Safaryan & Richtarik, "Basis matters: better communication-efficient second order methods for federated learning",
// AISTATS 2022, arXiv 2111.01847).

/// Of a linear model with a ridge hess f_i(x) = lambda I + V_i G_i(x) V_i^T, the columns of V_i an orthonormal basis of
/// the span of worker i's samples: what changes is G_i, a packed triangle of order r in place of d. r is the largest of
/// the workers'; others have columns of zeros behind theirs. V_i is sent once, by whoever runs the rounds.
class DataBasis final : public Transform {
 public:
  /// Throws ConfigError "newton.basis: ..." where a worker's Hessians are not known to change within a span.
  explicit DataBasis(const Problem& problem);

  size_t dimension() const { return dimension_; }  ///< d
  size_t order() const { return order_; }          ///< r
  /// V_i^T, r x d row by row.
  std::span<const double> vectors(uint32_t worker) const { return vectors_.at(worker); }

  std::string name() const override { return "data"; }
  Piece Image(const Piece& piece) const override;
  void Forward(uint32_t worker, std::span<const double> v, std::span<double> image) const override;
  void Back(uint32_t worker, std::span<const double> image, std::span<double> v) const override;
  /// Of changes of Hessians, which lie in the span.
  bool is_isometry() const override { return true; }

 private:
  size_t dimension_, order_ = 0;
  std::vector<std::vector<double>> vectors_;  // by worker
};

/// The positive semidefinite basis B^jj = e_j e_j^T, B^jl = (e_j + e_l)(e_j + e_l)^T: a matrix M has the coefficients
/// h_jl = M_jl and h_jj = M_jj - sum over l != j of M_jl (section 5 there). They are stored as M is, h_jl times
/// sqrt(2).
class PositiveBasis final : public Transform {
 public:
  std::string name() const override { return "positive"; }
  Piece Image(const Piece& piece) const override { return piece; }
  void Forward(uint32_t worker, std::span<const double> v, std::span<double> image) const override;
  void Back(uint32_t worker, std::span<const double> image, std::span<double> v) const override;
  bool is_common() const override { return true; }
};

}  // namespace gradwire
