// SPDX-License-Identifier: Apache-2.0
#include "compress/steps.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "compress/operator.h"
#include "compress/spec.h"
#include "compress/stream.h"
#include "kernels/norm.h"
#include "wire/elias.h"

namespace gradwire {
namespace {

/// Quantisation with a step of each element's own (Wang, Safaryan & Richtarik, NeurIPS 2022, arXiv 2106.03524); with
/// one step for all it is QSGD (Alistarh et al., NeurIPS 2017), of one norm for the whole piece.
///
/// omega: with f = frac(|u_j| / (r h_j)) the error of element j is (r h_j)^2 f (1 - f), at most (r h_j)^2 / 4 and at
/// most r h_j |u_j|. So that of a block is at most r^2 min(||h||^2 / 4, ||h||), with its own h: the largest of these.
///
/// Payload: the norms of the blocks (T), then for each element that is not 0 its distance from the one before (from
/// place -1), its sign and its level, distances and levels in Elias' omega code, as the paper counts them; ones fill
/// the last byte. Its size varies.
class Steps final : public Operator<Steps> {
 public:
  Steps(std::string spec, std::optional<double> levels, std::vector<QuantiserSteps> steps)
      : spec_(std::move(spec)), levels_(levels), steps_(std::move(steps)) {
    for (const QuantiserSteps& worker : steps_) {
      for (const double h : worker.h) most_levels_ = std::max(most_levels_, h > 0 ? 1 / h : 0);
      for (size_t b = 0; b < worker.ends.size(); ++b) omega_ = std::max(omega_, OmegaOfBlock(worker, b));
      most_blocks_ = std::max(most_blocks_, worker.ends.size());
    }
  }

  std::string spec() const override { return spec_; }
  bool unbiased() const override { return true; }
  std::optional<double> omega(const Piece& piece) const override {
    return steps_.empty() ? Bound(std::sqrt(static_cast<double>(std::max<size_t>(piece.numel, 1))) / Levels(piece))
                          : omega_;
  }
  std::optional<double> delta(const Piece& piece) const override { return ContractionOf(*omega(piece)); }
  bool variable() const override { return true; }
  /// A distance g > 1 takes less room than g elements with distances of 1.
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    const size_t an_element = 2 + OmegaBits(Most(steps_.empty() ? Levels(piece) : most_levels_));
    return (steps_.empty() ? BlocksOf(piece) : most_blocks_) * SizeOf(dtype) + (piece.numel * an_element + 7) / 8;
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype dtype,
                     std::span<const std::byte> payload) const override {
    const size_t blocks = steps_.empty() ? BlocksOf(piece) : most_blocks_;
    BitReader reader(payload.subspan(blocks * SizeOf(dtype)));
    while (!reader.IsAtEnd()) ReadElement(reader);
    return rule.Numbers(blocks) + reader.at();
  }

  template <typename T>
  size_t Compress(const Site& site, Lane&, std::span<T> u, std::span<std::byte> out) const {
    const size_t norms = BlocksAt(site) * sizeof(T);
    Philox random = StreamOf(site);
    BitWriter writer(out.subspan(norms));
    size_t next = 0;  // one behind the last that was written
    ForBlocks(site, [&](size_t block, size_t begin, size_t end, auto&& step) {
      const T norm = NormOf<T>(u.subspan(begin, end - begin));
      StoreAt(out, block, norm);
      for (size_t j = begin; j < end; ++j) {
        const uint32_t level = LevelOf(std::abs(static_cast<double>(u[j])), norm * step(j), random.Uniform(), step(j));
        if (level == 0) continue;
        writer.PutOmega(static_cast<uint32_t>(j + 1 - std::exchange(next, j + 1)));
        writer.Put(u[j] < 0);
        writer.PutOmega(level);
        u[j] -= ValueOf<T>(norm, step(j), level, u[j] < 0);
      }
    });
    return norms + writer.Finish();
  }

  template <typename T>
  void Add(const Site& site, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const size_t norms = BlocksAt(site) * sizeof(T);
    if (payload.size() < norms) throw Wrong("too short for its norms");
    BitReader reader(payload.subspan(norms));
    size_t at = 0;  // one behind the element that was read last; the next one is at `element`
    Element element = NextOf(reader, at, out.size());
    ForBlocks(site, [&](size_t block, size_t, size_t end, auto&& step) {
      const T norm = LoadAt<T>(payload, block);
      if (!(norm >= 0 && norm <= std::numeric_limits<T>::max())) throw Wrong("with a norm that is none");
      for (; element.level > 0 && at <= end; element = NextOf(reader, at, out.size())) {
        if (element.level > Most(step(at - 1) > 0 ? 1 / step(at - 1) : 0)) throw Wrong("with a level beyond the norm");
        out[at - 1] += weight * ValueOf<T>(norm, step(at - 1), element.level, element.negative);
      }
    });
  }

 private:
  struct Element {
    uint32_t distance = 0, level = 0;  // level 0: there is no other
    bool negative = false;
  };

  static double Bound(double norm_of_steps) { return std::min(norm_of_steps * norm_of_steps / 4, norm_of_steps); }
  static double OmegaOfBlock(const QuantiserSteps& steps, size_t block) {
    double square = 0;
    for (size_t j = block ? steps.ends[block - 1] : 0; j < steps.ends[block]; ++j) square += steps.h[j] * steps.h[j];
    return Bound(std::sqrt(square));
  }
  /// The largest level that an element may have: levels rounded up, as a whole number that 1/h has missed by rounding
  /// is.
  static uint32_t Most(double levels) { return std::max(1u, static_cast<uint32_t>(std::ceil(levels * (1 - 1e-12)))); }
  double Levels(const Piece& piece) const {
    return levels_.value_or(std::sqrt(static_cast<double>(std::max<size_t>(piece.numel, 1))));
  }
  static size_t BlocksOf(const Piece& piece) { return piece.numel > 0 ? 1 : 0; }
  size_t BlocksAt(const Site& site) const {
    return steps_.empty() ? BlocksOf(site.piece) : steps_.at(site.worker).ends.size();
  }

  /// take(block, begin, end, step), with step(j) = h_j.
  template <typename Take>
  void ForBlocks(const Site& site, Take&& take) const {
    if (steps_.empty()) {
      const double h = 1 / Levels(site.piece);
      if (site.piece.numel > 0) take(size_t{0}, size_t{0}, site.piece.numel, [h](size_t) { return h; });
      return;
    }
    const QuantiserSteps& own = steps_.at(site.worker);
    for (size_t b = 0, begin = 0; b < own.ends.size(); begin = own.ends[b++])
      take(b, begin, own.ends[b], [&own](size_t j) { return own.h[j]; });
  }

  /// At most T's largest finite number, and never below the largest magnitude.
  template <typename T>
  static T NormOf(std::span<const T> u) {
    const kernels::ScaledNorm norm = kernels::NormScaled(u, kernels::Norm::kL2);
    const double limit = static_cast<double>(std::numeric_limits<T>::max());
    return std::max(static_cast<T>(std::min(norm.value / norm.scale, limit)), kernels::MaxMagnitude(u));
  }

  static uint32_t LevelOf(double magnitude, double width, double uniform, double h) {
    if (!(width > 0)) return 0;
    const double y = std::min(magnitude / width, 1 / h), whole = std::floor(y);
    return std::min(static_cast<uint32_t>(whole) + (uniform < y - whole ? 1 : 0), Most(1 / h));
  }
  template <typename T>
  static T ValueOf(T norm, double h, uint32_t level, bool negative) {
    const double value = static_cast<double>(norm) * h * level,
                 limit = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(negative ? -std::min(value, limit) : std::min(value, limit));
  }

  Element ReadElement(BitReader& reader) const {
    const auto distance = reader.Omega();
    const auto negative = reader.Bit();
    const auto level = reader.Omega();
    if (!distance || !negative || !level) throw Wrong("that ends within an element");
    return {*distance, *level, *negative};
  }
  /// The next element, whose place is then `at` - 1.
  Element NextOf(BitReader& reader, size_t& at, size_t numel) const {
    if (reader.IsAtEnd()) return {};
    const Element element = ReadElement(reader);
    if (element.distance > numel - at) throw Wrong("with an element behind the last one");
    at += element.distance;
    return element;
  }
  PayloadError Wrong(const char* what) const { return PayloadError(spec_ + " payload " + what); }

  std::string spec_;
  std::optional<double> levels_;
  std::vector<QuantiserSteps> steps_;
  double most_levels_ = 0, omega_ = 0;
  size_t most_blocks_ = 0;
};

}  // namespace

std::shared_ptr<const Compressor> MakeStepsOf(std::string spec, std::optional<double> levels,
                                              std::vector<QuantiserSteps> steps) {
  return std::make_shared<Steps>(std::move(spec), levels, std::move(steps));
}

std::optional<double> ReadLevelsOfSteps(std::string_view text) {
  const auto levels = ReadNumber(text);
  return levels && *levels > 0 && *levels <= 32767 ? levels : std::nullopt;
}

std::shared_ptr<const Compressor> MakeSteps(std::string_view argument) {
  const auto levels = ReadLevelsOfSteps(argument);
  if (!argument.empty() && !levels)
    throw BadArgument("steps", argument, "a number of levels above 0 and up to 32767 (steps:2.5), or none for sqrt(d)");
  return MakeStepsOf(levels ? fmt::format("steps:{}", *levels) : "steps", levels);
}

}  // namespace gradwire
