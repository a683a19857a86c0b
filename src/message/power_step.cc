// SPDX-License-Identifier: Apache-2.0
#include "message/power_step.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "message/orthonormal.h"

namespace gradwire {
namespace {

/// Rows of a matrix whose gradient and memory are added and multiplied together: 128 KiB of floats stay in the cache.
constexpr size_t kElementsTogether = 32768;

}  // namespace

template <typename T>
PowerStep<T>::PowerStep(const MessageContext<T>& context, const MessagePlan& plan, const Round& round)
    : context_(context), plan_(plan), round_(round), matrices_(&context.lane.buffers.lists()) {
  for (const PlannedPiece& planned : plan.pieces) {
    if (planned.dense) continue;
    const LinkMemory<T> memory = context.memory.Of(planned.parameter, planned.piece);
    const size_t rank = memory.query.size() / planned.piece.cols;
    matrices_.push_back({&planned, memory.e, memory.query, rank, first_numel_, second_numel_});
    first_numel_ += rank * planned.piece.rows;
    second_numel_ += rank * planned.piece.cols;
  }
  dense_ = first_numel_;
  for (const PlannedPiece& planned : plan.pieces)
    if (planned.dense) first_numel_ += planned.piece.numel;
}

template <typename T>
uint64_t PowerStep<T>::PaperBits() const {
  return context_.count_as != nullptr ? context_.count_as->Numbers(first_numel_ + second_numel_) : 0;
}

template <typename T>
kernels::Factors<T> PowerStep<T>::FactorsOf(const Matrix& matrix, T* p, T* q) const {
  return {matrix.planned->piece.rows, matrix.planned->piece.cols, matrix.rank, p, q};
}

template <typename T>
template <typename Act>
void PowerStep<T>::Share(const Act& act) {
  ThreadPool::OfProcess().Share(matrices_.size(), context_.threads, context_.lane,
                                [&](size_t i, Lane& lane) { act(matrices_[i], lane); });
}

template <typename T>
void PowerStep<T>::Begin() {
  Share([&](Matrix& matrix, Lane& lane) {
    if (!kernels::AnyNonZero<T>(matrix.query)) GoOn(matrix, lane);
  });
}

/// The query that was set becomes orthonormal, and what it lacks is drawn.
template <typename T>
void PowerStep<T>::GoOn(const Matrix& matrix, Lane& lane) const {
  const Site site = context_.SiteOf(round_, matrix.planned->parameter, matrix.planned->piece);
  gradwire::Orthonormalise(matrix.query, matrix.rank, lane, &site);
}

template <typename T>
void PowerStep<T>::FillFirst(std::span<const T> values, std::span<T> first) {
  std::atomic<bool> finite = true;
  Share([&](Matrix& matrix, Lane&) {
    if (!FillMatrix(matrix, values, first)) finite = false;
  });
  if (!AddDense(values, first)) finite = false;
  if (!finite) first[0] = std::numeric_limits<T>::quiet_NaN();
}

/// Whether they are finite.
template <typename T>
bool PowerStep<T>::AddDense(std::span<const T> values, std::span<T> first) const {
  const T share = static_cast<T>(1.0 / context_.ranks);
  bool finite = true;
  T* to = first.data() + dense_;
  for (const PlannedPiece& planned : plan_.pieces) {
    if (!planned.dense) continue;
    const size_t n = planned.piece.numel;
    finite &= kernels::AddChecked<T>({n, values.subspan(planned.values, n), share, {}, {to, n}});
    to += n;
  }
  return finite;
}

/// e += g and P = e Q^T, rows by rows. Whether they are finite.
template <typename T>
bool PowerStep<T>::FillMatrix(Matrix& matrix, std::span<const T> values, std::span<T> first) const {
  const Piece& piece = matrix.planned->piece;
  const std::span<const T> g = values.subspan(matrix.planned->values, piece.numel);
  const kernels::Factors<T> factors = FactorsOf(matrix, first.data() + matrix.p, matrix.query.data());
  matrix.is_unused = IsUnused(context_.link, context_.zeros_keep_memory, g);
  if (matrix.is_unused) {
    std::fill_n(factors.p, matrix.rank * piece.rows, T{0});
    return true;
  }
  bool finite = true;
  const size_t rows_together = std::max<size_t>(kElementsTogether / piece.cols / 4 * 4, 4);
  for (size_t i = 0; i < piece.rows; i += rows_together) {
    const size_t at = i * piece.cols, n = std::min(rows_together, piece.rows - i) * piece.cols;
    const std::span<T> e = matrix.memory.subspan(at, n);
    finite &= kernels::AddChecked<T>({n, g.subspan(at, n), T{1}, e, e});
    kernels::ProjectRows<T>(e, factors, i);
  }
  return finite;
}

template <typename T>
bool PowerStep<T>::Orthonormalise(std::span<T> first) {
  if (!kernels::AllFinite<T>(first)) return false;
  Share([&](Matrix& matrix, Lane& lane) {
    gradwire::Orthonormalise(first.subspan(matrix.p, matrix.rank * matrix.planned->piece.rows), matrix.rank, lane,
                             nullptr);
  });
  return true;
}

template <typename T>
void PowerStep<T>::FillSecond(std::span<T> first, std::span<T> second) {
  Share([&](Matrix& matrix, Lane&) {
    T* const q = second.data() + matrix.q;
    if (matrix.is_unused)
      std::fill_n(q, matrix.query.size(), T{0});
    else
      kernels::TakeFactors<T>(FactorsOf(matrix, first.data() + matrix.p, q), matrix.memory);
  });
}

template <typename T>
bool PowerStep<T>::End(std::span<T> first, std::span<T> second, std::span<T> values) {
  if (!kernels::AllFinite<T>(second)) return false;
  kernels::Scale<T>(static_cast<T>(1.0 / context_.ranks), second);
  Share([&](Matrix& matrix, Lane& lane) {
    const Piece& piece = matrix.planned->piece;
    const kernels::Factors<T> factors = FactorsOf(matrix, first.data() + matrix.p, second.data() + matrix.q);
    kernels::ExpandFactors<T>(factors, values.subspan(matrix.planned->values, piece.numel));
    // Where all of P is zero, so is Q: what the query has found is none of the matrix any more, and it is drawn anew.
    std::copy_n(factors.q, matrix.query.size(), matrix.query.data());
    GoOn(matrix, lane);
  });
  const T* dense = first.data() + dense_;
  for (const PlannedPiece& planned : plan_.pieces) {
    if (!planned.dense) continue;
    std::copy_n(dense, planned.piece.numel, values.data() + planned.values);
    dense += planned.piece.numel;
  }
  return true;
}

template class PowerStep<float>;
template class PowerStep<double>;

}  // namespace gradwire
