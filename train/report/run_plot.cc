// SPDX-License-Identifier: Apache-2.0
// A comparison as a picture in SVG.
#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "train/report/run_table.h"

namespace gradwire::train {
namespace {

// Pixels.
constexpr double kWidth = 760, kHeight = 440, kLeft = 84, kRight = 20, kTop = 20, kBottom = 58;
constexpr double kLegendLine = 19;
constexpr size_t kMaxPoints = 1500;  // of a curve; a picture has no more columns
constexpr double kHeadroom = 100;    // times the highest start: where a diverging curve leaves a logarithmic picture

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

class Picture {
 public:
  explicit Picture(const RunTable& table) : table_(table), logarithmic_(!table.y->rises) {
    for (const Curve& curve : table.curves)
      for (size_t k = 0; k < curve.x.size(); ++k)
        if (Drawable(curve.y[k])) x_.Take(curve.x[k]), y_.Take(Height(curve.y[k]));
    if (!(x_.low <= x_.high)) x_ = {0, 1}, y_ = {0, 1};
    if (x_.low == x_.high) x_.high = x_.low + 1;
    if (logarithmic_) y_.high = std::max(y_.low, std::min(y_.high, Height(HighestStart() * kHeadroom)));
    if (logarithmic_) y_ = {std::floor(y_.low), std::ceil(y_.high)};
    if (y_.low == y_.high) y_.high = y_.low + 1;
  }

  std::string Draw() {
    const double legend = kLegendLine * static_cast<double>(table_.curves.size()) + 14;
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
                        (kTop + kHeight - kBottom) / 2, Escape(table_.y->label));
    for (size_t i = 0; i < table_.curves.size(); ++i) Line(i), Legend(i);
    return svg_ + "</svg>\n";
  }

 private:
  double HighestStart() const {
    double start = 0;
    for (const Curve& curve : table_.curves) start = std::max(start, curve.y.front());
    return start > 0 ? start : 1;
  }
  bool Drawable(double y) const { return std::isfinite(y) && (!logarithmic_ || y > 0); }
  double Height(double y) const { return logarithmic_ ? std::log10(y) : y; }
  double Px(double x) const { return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight); }
  double Py(double h) const {
    return kHeight - kBottom - (h - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
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
    return XExponent() == 0 ? std::string(table_.x->label)
                            : fmt::format("{}, in units of 1e{}", table_.x->label, XExponent());
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
    const double step = logarithmic_ ? std::max(1.0, TickStep(y_.high - y_.low, 9)) : TickStep(y_.high - y_.low, 6);
    for (double k = std::ceil(y_.low / step); k * step <= y_.high + 1e-12; ++k) {
      const double at = Py(k * step);
      Grid(kLeft, at, kWidth - kRight, at);
      Text(kLeft - 8, at + 4.5, "end",
           logarithmic_ ? fmt::format("1e{:.0f}", k * step) : fmt::format("{:.4g}", k * step));
    }
  }

  std::string Stroke(size_t i) const {
    return fmt::format("stroke=\"{}\" stroke-width=\"1.8\"{}", kColours[i % std::size(kColours)],
                       i < std::size(kColours) ? "" : " stroke-dasharray=\"6 4\"");
  }

  void Line(size_t i) {
    const Curve& curve = table_.curves[i];
    const size_t stride = std::max<size_t>(1, curve.x.size() / kMaxPoints);
    std::string points;
    for (size_t k = 0; k < curve.x.size(); ++k)
      if (Drawable(curve.y[k]) && (k % stride == 0 || k + 1 == curve.x.size()))
        points += fmt::format("{:.1f},{:.1f} ", Px(curve.x[k]), Py(Height(curve.y[k])));
    svg_ += fmt::format("<polyline points=\"{}\" fill=\"none\" clip-path=\"url(#axes)\" {}/>\n", points, Stroke(i));
  }

  /// Below the axes, so that it hides no curve however long its names are.
  void Legend(size_t i) {
    const double y = kHeight + kLegendLine * (static_cast<double>(i) + 0.5);
    svg_ += fmt::format("<line x1=\"{0}\" y1=\"{2:.1f}\" x2=\"{1}\" y2=\"{2:.1f}\" {3}/>\n", kLeft, kLeft + 28, y,
                        Stroke(i));
    Text(kLeft + 36, y + 4.5, "start", table_.curves[i].name);
  }

  const RunTable& table_;
  bool logarithmic_;
  Range x_, y_;  // y in heights: exponents where logarithmic
  std::string svg_;
};

}  // namespace

std::string ToSvg(const RunTable& table) { return Picture(table).Draw(); }

}  // namespace gradwire::train
