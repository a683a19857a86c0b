// SPDX-License-Identifier: Apache-2.0
#pragma once

// The constants that operators declare, against what they do: deterministic operators exactly, random ones by the mean
// over many steps. Each law returns what it saw broken, or nothing.

#include <array>
#include <cmath>
#include <functional>
#include <string>

#include "support/operators.h"

namespace gradwire::testing {

/// Whether C(x) depends on the step, i.e. the operator draws random bits.
template <typename T>
bool DrawsBits(const Compressor& compressor, const PieceCase<T>& c) {
  const size_t numel = c.is_bound ? c.x.size() : 64;
  const Piece piece = Piece::Whole(numel);
  const std::vector<T> x = Gaussian<T>(numel), first = Apply(compressor, SiteOf(piece, 0), x);
  for (uint64_t step = 1; step < 8; ++step)
    if (!SameBits(Apply(compressor, SiteOf(piece, step), x), first)) return true;
  return false;
}

/// Mean over draws, and its standard error; sums in long double, whose range holds the squares of every double.
class Mean {
 public:
  void Add(long double x) {
    ++n_;
    const long double away = x - mean_;
    mean_ += away / n_;
    squares_ += away * (x - mean_);
  }
  long double mean() const { return mean_; }
  long double error() const { return n_ > 1 ? std::sqrt(squares_ / (n_ - 1) / n_) : 0; }
  /// 5 standard errors, and more where few draws tell their size: the quantile of Student's t for n - 1 degrees of
  /// freedom that is as rare as 5 of a Gaussian, by its expansion in 1/(n - 1) (Abramowitz & Stegun 26.7.5).
  long double margin() const {
    const long double f = std::max(n_ - 1, 1);
    return error() * (5 + 130 / (4 * f) + 17640 / (96 * f * f) + 295800 / (384 * f * f * f));
  }

 private:
  int n_ = 0;
  long double mean_ = 0, squares_ = 0;
};

template <typename T>
long double SquaredNorm(const std::vector<T>& x) {
  long double sum = 0;
  for (const T value : x) sum += static_cast<long double>(value) * value;
  return sum;
}

/// So many show what happens once in 100 draws.
constexpr int kManyDraws = 500;

/// What rounding of denormals adds to the squared error: their unit squared an element. Natural compression sends
/// exponents, and those of denormals have no code.
template <typename T>
long double DenormalError(const Compressor& compressor, const PieceCase<T>& c) {
  using Limits = std::numeric_limits<T>;
  const long double unit = compressor.spec() == "natural" ? Limits::min() : Limits::denorm_min();
  return unit * unit * static_cast<long double>(c.x.size());
}

/// 5 standard errors of few draws' mean that they need not show themselves: where an element of much of ||x||^2 is kept
/// rarely, no draw may keep it. An error of element i within 0 .. x_i^2, whose mean is bound x_i^2, has a variance of
/// at most bound (1 - bound) x_i^4 (Bhatia & Davis, "A better bound on the variance", 2000).
template <typename T>
long double UnseenMargin(const std::vector<T>& x, double bound, int draws) {
  if (bound >= 1 || draws == 1 || draws >= kManyDraws) return 0;
  long double fourth = 0;
  for (const T value : x) fourth += std::pow(static_cast<long double>(value), 4);
  return 5 * std::sqrt(bound * (1 - bound) * fourth / draws);
}

/// E||C(x) - x||^2 <= bound ||x||^2, by the margins above and rounding: 4 eps of each side for arithmetic that is
/// relative, and for denormals, whose rounding is absolute, their unit squared an element.
template <typename T>
std::string ErrorIsWithin(const Compressor& compressor, const PieceCase<T>& c, double bound, int draws) {
  Mean error;
  for (int draw = 0; draw < draws; ++draw) {
    Site site = c.site;
    site.step = static_cast<uint64_t>(draw);
    const std::vector<T> sent = Apply(compressor, site, c.x);
    long double sum = 0;
    for (size_t i = 0; i < sent.size(); ++i) {
      const long double away = static_cast<long double>(sent[i]) - c.x[i];
      sum += away * away;
    }
    error.Add(sum);
  }
  const long double norm = SquaredNorm(c.x);
  const long double absolute = DenormalError<T>(compressor, c),
                    rounding = 64 * (1 + bound) * std::numeric_limits<T>::epsilon() * norm + absolute +
                               2 * std::sqrt(bound * norm * absolute);
  const long double margin = std::max(error.margin(), UnseenMargin(c.x, bound, draws));
  if (error.mean() <= bound * norm + margin + rounding) return {};
  return "E||C(x)-x||^2 = " + std::to_string(error.mean() / norm) + " ||x||^2, declared " + std::to_string(bound);
}

/// Draws enough for the mean of a case; none for large pieces of random operators, but for two kinds: they take long.
template <typename T>
int DrawsFor(const Compressor& compressor, const PieceCase<T>& c) {
  if (!DrawsBits<T>(compressor, c)) return 1;
  if (c.x.size() <= 64) return kManyDraws;
  if (c.x.size() <= 2000) return 50;
  return c.name.starts_with("gaussian") || c.name.starts_with("one spike") ? 16 : 0;
}

template <typename T>
std::string DeltaHolds(const Compressor& compressor, const PieceCase<T>& c) {
  const auto delta = compressor.delta(c.site.piece);
  if (!delta) return {};
  if (!(*delta > 0 && *delta <= 1)) return "delta = " + std::to_string(*delta) + " is not in (0, 1]";
  return ErrorIsWithin(compressor, c, 1 - *delta, DrawsFor(compressor, c));
}

template <typename T>
std::string OmegaHolds(const Compressor& compressor, const PieceCase<T>& c) {
  const auto omega = compressor.omega(c.site.piece);
  if (omega.has_value() != compressor.unbiased()) return "omega is declared by unbiased operators, and by those only";
  if (!omega) return {};
  if (!(*omega >= 0)) return "omega = " + std::to_string(*omega) + " is negative";
  return ErrorIsWithin(compressor, c, *omega, DrawsFor(compressor, c));
}

/// E C(x) = x along six directions v (all coordinates would need a wider bound): within 5 standard errors, of the
/// variance that omega allows, omega ||x||^2 ||v||^2: a sample's own misses what happens rarely. Small pieces, and
/// larger ones of two kinds only: it takes many draws.
template <typename T>
std::string MeanIsTheVector(const Compressor& compressor, const PieceCase<T>& c) {
  const size_t n = c.x.size();
  if (!compressor.unbiased() || n == 0 || n > 2000) return {};
  if (n > 64 && !c.name.starts_with("gaussian") && !c.name.starts_with("one spike")) return {};
  const int draws = !DrawsBits<T>(compressor, c) ? 1 : n > 64 ? 1000 : 10000;
  const std::array<std::function<long double(size_t)>, 6> directions = {
      [](size_t i) { return i == 0; }, [&](size_t i) { return i == n / 2; },    [&](size_t i) { return i == n - 1; },
      [](size_t) { return 1; },        [](size_t i) { return i % 2 ? -1 : 1; }, [&](size_t i) { return c.x[i]; }};
  std::vector<long double> mean(n);
  for (int draw = 0; draw < draws; ++draw) {
    Site site = c.site;
    site.step = static_cast<uint64_t>(draw);
    const std::vector<T> sent = Apply(compressor, site, c.x);
    for (size_t i = 0; i < n; ++i) mean[i] += (static_cast<long double>(sent[i]) - c.x[i]) / draws;
  }
  const long double norm = SquaredNorm(c.x),
                    variance = *compressor.omega(c.site.piece) * norm + DenormalError<T>(compressor, c),
                    rounding = std::numeric_limits<T>::epsilon() * std::sqrt(norm) +
                               0.5L * std::numeric_limits<T>::denorm_min() * std::sqrt(1.0L * n);
  for (size_t d = 0; d < directions.size(); ++d) {
    long double away = 0, squares = 0;
    for (size_t i = 0; i < n; ++i) away += directions[d](i) * mean[i], squares += directions[d](i) * directions[d](i);
    if (!(std::abs(away) <= (5 * std::sqrt(variance / draws) + rounding) * std::sqrt(squares)))
      return "E C(x) - x along direction " + std::to_string(d) + " is not 0";
  }
  return {};
}

/// C(x) + C(y) = C(x + y) at the same site, to rounding, for operators that say so.
template <typename T>
std::string SumsOnTheWay(const Compressor& compressor, const PieceCase<T>& c) {
  if (!compressor.linear()) return {};
  std::vector<T> x = c.x, y(c.x.rbegin(), c.x.rend()), sum(c.x.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] /= 2, y[i] /= 2, sum[i] = x[i] + y[i];  // halves: the largest stay finite
  const std::vector<T> cx = Apply(compressor, c.site, x), cy = Apply(compressor, c.site, y),
                       cs = Apply(compressor, c.site, sum);
  for (size_t i = 0; i < x.size(); ++i) {
    const long double a = cx[i], b = cy[i];
    // Half a unit for each of a, b, x + y and cs, of which the last two may be as large as |a| + |b|.
    if (!(std::abs(a + b - cs[i]) <= 1.5L * std::numeric_limits<T>::epsilon() * (std::abs(a) + std::abs(b)) +
                                         2 * std::numeric_limits<T>::denorm_min()))
      return "element " + std::to_string(i);
  }
  return {};
}

}  // namespace gradwire::testing
