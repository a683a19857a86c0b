// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace gradwire::train {

/// One curve of a picture.
struct PictureCurve {
  enum class Style { kLine, kDashed, kPoints };

  std::string name;          ///< in the legend; empty: none there
  std::vector<double> x, y;  ///< of one length, x ascending; values that cannot be drawn are left out
  Style style = Style::kLine;
  std::optional<size_t> colour_of = {};  ///< the curve that it shares its colour with; empty: one of its own
};

/// What is drawn: curves over common axes, with ticks and a legend below them.
struct Picture {
  std::string x_label, y_label;
  bool logarithmic = false;                                  ///< y; values that have no logarithm are left out
  double highest = std::numeric_limits<double>::infinity();  ///< y above which a logarithmic picture is cut
  std::vector<PictureCurve> curves;
};

/// The picture as SVG, of a fixed size, with a colour for each of eight curves; later ones are dashed.
std::string ToSvg(const Picture& picture);

}  // namespace gradwire::train
