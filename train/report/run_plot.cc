// SPDX-License-Identifier: Apache-2.0
// A comparison as a picture in SVG.
#include <algorithm>

#include "train/report/picture.h"
#include "train/report/run_table.h"

namespace gradwire::train {
namespace {

constexpr double kHeadroom = 100;  // times the highest start: where a diverging curve leaves a logarithmic picture

double HighestStart(const RunTable& table) {
  double start = 0;
  for (const Curve& curve : table.curves) start = std::max(start, curve.y.front());
  return start > 0 ? start : 1;
}

}  // namespace

std::string ToSvg(const RunTable& table) {
  Picture picture{.x_label = std::string(table.x->label),
                  .y_label = std::string(table.y->label),
                  .logarithmic = !table.y->rises,
                  .highest = HighestStart(table) * kHeadroom,
                  .curves = {}};
  for (const Curve& curve : table.curves) picture.curves.push_back({.name = curve.name, .x = curve.x, .y = curve.y});
  return ToSvg(picture);
}

}  // namespace gradwire::train
