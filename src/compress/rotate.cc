// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>
#include <limits>

#include "base/symmetric.h"
#include "compress/combination.h"
#include "compress/stream.h"

namespace gradwire {
namespace {

constexpr uint32_t kNoParameter = 0xffffffff;  // whose common coins are U's

/// An orthogonal n x n matrix U^T = H_2 D_2 H_1 D_1 of 2 n log2(n) additions and 2 m multiplications: D are random
/// signs, H_1 a Hadamard matrix over sqrt(m) on the first m elements, m the largest power of two up to n, and H_2 the
/// same on the last m (Ailon & Chazelle, "The fast Johnson-Lindenstrauss transform", SIAM J. Comput. 2009). In binary64
/// and in a fixed order: both ends have the same bits.
class Orthogonal {
 public:
  Orthogonal(uint64_t seed, size_t n, Lane& lane)
      : m_(std::bit_floor(n)),
        factor_(1 / std::sqrt(static_cast<double>(m_))),
        signs_(lane.scratch.Take<double>(2 * n)) {
    Site site;
    site.seed = seed, site.parameter = kNoParameter;
    Philox random = CommonStreamOf(site);
    for (size_t part = 0; part < 2; ++part)
      for (size_t i = 0; i < n; i += 32) {
        const uint32_t word = random.Next();
        for (size_t bit = 0; bit < std::min<size_t>(32, n - i); ++bit)
          signs_[part * n + i + bit] = word >> bit & 1 ? -1 : 1;
      }
  }

  /// v becomes U^T v.
  void Forward(std::span<double> v) const {
    Flip(v, 0);
    Mix(v.first(m_));
    Flip(v, 1);
    Mix(v.last(m_));
  }
  /// v becomes U v.
  void Back(std::span<double> v) const {
    Mix(v.last(m_));
    Flip(v, 1);
    Mix(v.first(m_));
    Flip(v, 0);
  }

 private:
  void Flip(std::span<double> v, size_t part) const {
    for (size_t i = 0; i < v.size(); ++i) v[i] *= signs_[part * v.size() + i];
  }
  void Mix(std::span<double> v) const {
    for (size_t half = 1; half < v.size(); half *= 2)
      for (size_t first = 0; first < v.size(); first += 2 * half)
        for (size_t i = first; i < first + half; ++i) {
          const double a = v[i], b = v[i + half];
          v[i] = a + b, v[i + half] = a - b;
        }
    for (double& x : v) x *= factor_;
  }

  size_t m_;
  double factor_;
  std::span<double> signs_;  // of D_1, then of D_2
};

/// In T: not beyond its largest number, 0 where two infinities met.
template <typename T>
T Within(double x) {
  constexpr auto kLargest = static_cast<double>(std::numeric_limits<T>::max());
  return std::isnan(x) ? T{0} : static_cast<T>(std::clamp(x, -kLargest, kLargest));
}

/// A in another orthonormal basis: U A(U^T x), and of a symmetric matrix U A(U^T X U) U^T, as in the rotation of
/// three-point compressors (Islamov et al., "Distributed Newton-type methods with communication compression and
/// Bernoulli aggregation", 2022, arXiv 2206.03588). Magnitudes become alike, so that A loses less of a few large
/// elements. U is drawn from the seed, one for each size of a piece, for all workers, steps and parameters. Payload:
/// A's.
class Rotated final : public WithPayloadOfA<Rotated> {
 public:
  using WithPayloadOfA::WithPayloadOfA;

  std::string spec() const override { return "rotate(" + a_->spec() + ")"; }
  bool unbiased() const override { return a_->unbiased(); }
  /// A's, since norms are kept.
  std::optional<double> omega(const Piece& piece) const override { return a_->omega(piece); }
  std::optional<double> delta(const Piece& piece) const override { return a_->delta(piece); }
  bool contracts(const Piece& piece) const override { return a_->contracts(piece); }

  template <typename T>
  size_t EncodeParts(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    Turn<T>(site, lane, u, &Orthogonal::Forward);
    return a_->Encode(SiteOfPart(site, 0), lane, std::span<const T>(u), T{1}, std::span<const T>{}, std::span<T>{}, out)
        .bytes;
  }

  template <typename T>
  void DecodeParts(const Site& site, Lane& lane, std::span<const std::byte> payload, std::span<T> out) const {
    DecodePart(*a_, SiteOfPart(site, 0), lane, payload, Into::kWrite, out);
    Turn<T>(site, lane, out, &Orthogonal::Back);
  }

 private:
  using Way = void (Orthogonal::*)(std::span<double>) const;

  template <typename T>
  static void Turn(const Site& site, Lane& lane, std::span<T> values, Way way) {
    if (values.empty()) return;
    const Scratch::Scope scope(lane.scratch);
    const std::span<double> v = lane.scratch.Take<double>(values.size());
    std::ranges::copy(values, v.begin());
    const size_t n = site.piece.symmetric ? site.piece.rows : values.size();
    const Orthogonal u(site.seed, n, lane);
    if (site.piece.symmetric)
      TurnMatrix(n, lane, v, u, way);
    else
      (u.*way)(v);
    for (size_t i = 0; i < values.size(); ++i) values[i] = Within<T>(v[i]);
  }

  /// Rows, then what were columns.
  static void TurnMatrix(size_t d, Lane& lane, std::span<double> packed, const Orthogonal& u, Way way) {
    const std::span<double> matrix = lane.scratch.Take<double>(d * d);
    UnpackSymmetric<double>(d, packed, matrix);
    for (int side = 0; side < 2; ++side) {
      for (size_t row = 0; row < d; ++row) (u.*way)(matrix.subspan(row * d, d));
      for (size_t row = 0; row < d; ++row)
        for (size_t col = 0; col < row; ++col) std::swap(matrix[row * d + col], matrix[col * d + row]);
    }
    PackSymmetric<double>(d, matrix, packed);
  }
};

}  // namespace

std::shared_ptr<const Compressor> MakeRotated(std::string_view arguments) {
  CutArguments("rotate", arguments, 1, "rotate(A)");
  return std::make_shared<Rotated>(ParsePart("rotate", arguments, arguments));
}

}  // namespace gradwire
