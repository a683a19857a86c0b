// SPDX-License-Identifier: Apache-2.0
#include "train/report/picture.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace gradwire::train {
namespace {

using Style = PictureCurve::Style;

// Pixels.
constexpr double kWidth = 760, kHeight = 440, kLeft = 84, kRight = 20, kTop = 20, kBottom = 58;
constexpr double kLegendLine = 19, kRadius = 3;
constexpr size_t kMaxPoints = 1500;  // of a curve; a picture has no more columns

// Okabe and Ito's colours, which the colour-blind can tell apart; curves beyond eight are dashed.
constexpr std::string_view kColours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                         "#56B4E9", "#E69F00", "#000000", "#999933"};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Take(double value) { low = std::min(low, value), high = std::max(high, value); }
};

/// A step between ticks of the form 1, 2 or 5 times a power of ten, so that about `count` fit.
double TickStep(double span, int count) {
  const double raw = span / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1, 2, 5})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) escaped += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return escaped;
}

class Drawing {
 public:
  explicit Drawing(const Picture& picture) : picture_(picture) {
    for (const PictureCurve& curve : picture.curves)
      for (size_t k = 0; k < curve.x.size(); ++k)
        if (Drawable(curve.y[k])) x_.Take(curve.x[k]), y_.Take(Height(curve.y[k]));
    if (!(x_.low <= x_.high)) x_ = {0, 1}, y_ = {0, 1};
    if (x_.low == x_.high) x_.high = x_.low + 1;
    if (picture.logarithmic) y_.high = std::max(y_.low, std::min(y_.high, Height(picture.highest)));
    if (picture.logarithmic) y_ = {std::floor(y_.low), std::ceil(y_.high)};
    if (y_.low == y_.high) y_.high = y_.low + 1;
    SetColours();
  }

  std::string Draw() {
    const double legend = kLegendLine * static_cast<double>(std::ranges::count_if(picture_.curves, IsNamed)) + 14;
    svg_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" viewBox=\"0 0 {0:g} {1:g}\" "
        "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"#222\">\n"
        "<rect width=\"{0:g}\" height=\"{1:g}\" fill=\"white\"/>\n"
        "<clipPath id=\"axes\"><rect x=\"{2}\" y=\"{3}\" width=\"{4}\" height=\"{5}\"/></clipPath>\n",
        kWidth, kHeight + legend, kLeft, kTop, kWidth - kLeft - kRight, kHeight - kTop - kBottom);
    XTicks();
    YTicks();
    svg_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#444\"/>\n", kLeft,
                        kTop, kWidth - kLeft - kRight, kHeight - kTop - kBottom);
    Text((kLeft + kWidth - kRight) / 2, kHeight - 14, "middle", XLabel());
    svg_ += fmt::format("<text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                        (kTop + kHeight - kBottom) / 2, Escape(picture_.y_label));
    double line = kHeight + kLegendLine / 2;
    for (size_t i = 0; i < picture_.curves.size(); ++i) {
      Curve(i);
      if (IsNamed(picture_.curves[i])) Legend(i, line), line += kLegendLine;
    }
    return svg_ + "</svg>\n";
  }

 private:
  static bool IsNamed(const PictureCurve& curve) { return !curve.name.empty(); }
  bool Drawable(double y) const { return std::isfinite(y) && (!picture_.logarithmic || y > 0); }
  double Height(double y) const { return picture_.logarithmic ? std::log10(y) : y; }
  double Px(double x) const { return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight); }
  double Py(double h) const {
    return kHeight - kBottom - (h - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
  }

  void SetColours() {
    size_t own = 0;
    for (const PictureCurve& curve : picture_.curves)
      colour_.push_back(curve.colour_of ? colour_.at(*curve.colour_of) : own++);
  }

  void Text(double x, double y, std::string_view anchor, std::string_view text) {
    svg_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, Escape(text));
  }
  void Grid(double x1, double y1, double x2, double y2) {
    svg_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", x1, y1, x2,
                        y2);
  }

  /// The power of ten that x is divided by, so that its ticks have few digits.
  int XExponent() const { return x_.high < 1e5 ? 0 : 3 * static_cast<int>(std::log10(x_.high) / 3); }
  std::string XLabel() const {
    return XExponent() == 0 ? picture_.x_label : fmt::format("{}, in units of 1e{}", picture_.x_label, XExponent());
  }

  void XTicks() {
    const double step = TickStep(x_.high - x_.low, 8);
    for (double k = std::ceil(x_.low / step); k * step <= x_.high * (1 + 1e-12); ++k) {
      const double at = Px(k * step);
      Grid(at, kTop, at, kHeight - kBottom);
      Text(at, kHeight - kBottom + 18, "middle", fmt::format("{:.6g}", k * step / std::pow(10, XExponent())));
    }
  }

  void YTicks() {
    const double span = y_.high - y_.low;
    const double step = picture_.logarithmic ? std::max(1.0, TickStep(span, 9)) : TickStep(span, 6);
    for (double k = std::ceil(y_.low / step); k * step <= y_.high + 1e-12; ++k) {
      const double at = Py(k * step);
      Grid(kLeft, at, kWidth - kRight, at);
      Text(kLeft - 8, at + 4.5, "end",
           picture_.logarithmic ? fmt::format("1e{:.0f}", k * step) : fmt::format("{:.4g}", k * step));
    }
  }

  std::string_view Colour(size_t i) const { return kColours[colour_[i] % std::size(kColours)]; }
  std::string Stroke(size_t i) const {
    const bool dashed = picture_.curves[i].style == Style::kDashed || colour_[i] >= std::size(kColours);
    return fmt::format("stroke=\"{}\" stroke-width=\"1.8\"{}", Colour(i), dashed ? " stroke-dasharray=\"6 4\"" : "");
  }

  void Curve(size_t i) {
    const PictureCurve& curve = picture_.curves[i];
    const size_t stride = std::max<size_t>(1, curve.x.size() / kMaxPoints);
    std::string points;
    for (size_t k = 0; k < curve.x.size(); ++k) {
      if (!Drawable(curve.y[k]) || (k % stride != 0 && k + 1 != curve.x.size())) continue;
      const double x = Px(curve.x[k]), y = Py(Height(curve.y[k]));
      if (curve.style == Style::kPoints)
        svg_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" clip-path=\"url(#axes)\" fill=\"{}\"/>\n", x,
                            y, kRadius, Colour(i));
      else
        points += fmt::format("{:.1f},{:.1f} ", x, y);
    }
    if (curve.style != Style::kPoints)
      svg_ += fmt::format("<polyline points=\"{}\" fill=\"none\" clip-path=\"url(#axes)\" {}/>\n", points, Stroke(i));
  }

  /// Below the axes, so that it hides no curve however long its names are.
  void Legend(size_t i, double y) {
    if (picture_.curves[i].style == Style::kPoints)
      svg_ +=
          fmt::format("<circle cx=\"{}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"/>\n", kLeft + 14, y, kRadius, Colour(i));
    else
      svg_ += fmt::format("<line x1=\"{0}\" y1=\"{2:.1f}\" x2=\"{1}\" y2=\"{2:.1f}\" {3}/>\n", kLeft, kLeft + 28, y,
                          Stroke(i));
    Text(kLeft + 36, y + 4.5, "start", picture_.curves[i].name);
  }

  const Picture& picture_;
  std::vector<size_t> colour_;
  Range x_, y_;  // y in heights: exponents where logarithmic
  std::string svg_;
};

}  // namespace

std::string ToSvg(const Picture& picture) { return Drawing(picture).Draw(); }

}  // namespace gradwire::train
