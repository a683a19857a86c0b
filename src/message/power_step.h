// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory_resource>
#include <span>
#include <vector>

#include "kernels/factors.h"
#include "message/bucket_plan.h"
#include "message/message_context.h"

namespace gradwire {

/// One step of PowerSGD on one bucket of this rank, between two sums over all ranks (Vogels, Karimireddy & Jaggi,
/// NeurIPS 2019, arXiv 1905.13727, algorithms 1 and 2). Of each matrix M = g + e of this rank, rows x columns, with the
/// query Q, rank x columns, that the step before has left:
///     P = M Q^T -> sum;   P <- orthonormal;   Q_own = P^T M -> sum;   e <- M - P Q_own;
///     g <- P Q, where Q is the mean over the ranks;   the query <- orthonormal Q.
/// What this rank leaves out is that of its own factors, so that mean e + g is the mean of the M. Where its gradient
/// was not used (ExchangeParts::zeros_keep_memory), it adds zeros to both sums and keeps e. All that lies behind a sum
/// is in one order of operations on all ranks, whatever their processor: replicas hold the same bits. Pieces that
/// travel dense are in the first message, times 1 / ranks.
///
/// A vector of P that is none (M is of lower rank, or nobody has used it) counts as zero, and the query's is drawn
/// anew, alike on all ranks. T is float or double. Not thread-safe; shares its pieces over the context's threads.
template <typename T>
class PowerStep {
 public:
  /// `context` is of the way up, whose link iterates, and outlives this, as `plan` does. `ranks` as in the context.
  PowerStep(const MessageContext<T>& context, const MessagePlan& plan, const Round& round);

  /// Elements of the two messages.
  size_t first_numel() const { return first_numel_; }
  size_t second_numel() const { return second_numel_; }
  /// What a paper counts of both; 0 where none does.
  uint64_t PaperBits() const;

  /// Draws the queries of matrices that have none. Once where ranks share them.
  void Begin();
  /// Fills the first message from the bucket's values. Where one is not finite, its block (of 1,024) counts as zeros,
  /// and the message's first element is NaN, so that the sum is on all ranks.
  void FillFirst(std::span<const T> values, std::span<T> first);
  /// `first`, the sum, gets orthonormal factors. Whether all of it was finite; else nothing is done, and the step ends.
  bool Orthonormalise(std::span<T> first);
  /// Fills the second message, with what Orthonormalise left; what this rank leaves out becomes its memory.
  void FillSecond(std::span<T> first, std::span<T> second);
  /// `values`, the whole bucket, becomes the mean, and the queries those of the next step, from both sums. Whether the
  /// second one was finite; else nothing is done. Not by several ranks that share queries: they get the same.
  bool End(std::span<T> first, std::span<T> second, std::span<T> values);

 private:
  struct Matrix {
    const PlannedPiece* planned;
    std::span<T> memory, query;
    size_t rank, p, q;  // places in the first and in the second message
    bool is_unused = false;
  };
  kernels::Factors<T> FactorsOf(const Matrix& matrix, T* p, T* q) const;
  /// act(matrix, lane) for each.
  template <typename Act>
  void Share(const Act& act);
  void GoOn(const Matrix& matrix, Lane& lane) const;
  bool AddDense(std::span<const T> values, std::span<T> first) const;
  bool FillMatrix(Matrix& matrix, std::span<const T> values, std::span<T> first) const;

  const MessageContext<T>& context_;
  const MessagePlan& plan_;
  const Round round_;
  std::pmr::vector<Matrix> matrices_;
  size_t first_numel_ = 0, second_numel_ = 0, dense_ = 0;  // dense_: where dense pieces begin in the first message
};

}  // namespace gradwire
