// SPDX-License-Identifier: Apache-2.0
#include "train/report/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradwire::train {
namespace {

using testing::HasSubstr;
using testing::Not;
using Style = PictureCurve::Style;

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Picture, PointsAreCirclesAndOthersAreLines) {
  const std::string svg = ToSvg({.x_label = "t",
                                 .y_label = "y",
                                 .curves = {{.name = "exact", .x = {0, 1}, .y = {1, 2}},
                                            {.name = "theory", .x = {0, 1}, .y = {1, 2}, .style = Style::kDashed},
                                            {.name = "drawn", .x = {0, 1}, .y = {1, 2}, .style = Style::kPoints}}});
  EXPECT_EQ(Count(svg, "<polyline"), 2u);
  EXPECT_EQ(Count(svg, "stroke-dasharray"), 2u);  // the curve and its line in the legend
  EXPECT_EQ(Count(svg, "<circle"), 3u);           // two points, one in the legend
  for (const char* name : {">exact<", ">theory<", ">drawn<"}) EXPECT_THAT(svg, HasSubstr(name));
}

TEST(Picture, ACurveMayShareTheColourOfAnotherAndHaveNoLineInTheLegend) {
  const std::string svg =
      ToSvg({.x_label = "t",
             .y_label = "y",
             .curves = {{.name = "first", .x = {0, 1}, .y = {1, 2}},
                        {.name = "", .x = {0, 1}, .y = {1, 2}, .style = Style::kPoints, .colour_of = 0},
                        {.name = "second", .x = {0, 1}, .y = {2, 3}}}});
  EXPECT_EQ(Count(svg, "#0072B2"), 4u);  // line, legend, two points
  EXPECT_EQ(Count(svg, "#D55E00"), 2u);  // the second curve has the second colour
  EXPECT_EQ(Count(svg, "text-anchor=\"start\""), 2u);
}

TEST(Picture, WhatIsAboveTheHighestIsCutWhereLogarithmic) {
  const Picture picture{.x_label = "t",
                        .y_label = "y",
                        .logarithmic = true,
                        .highest = 100,
                        .curves = {{.name = "grows", .x = {0, 1}, .y = {1, 1e9}}}};
  EXPECT_THAT(ToSvg(picture), HasSubstr(">1e2<"));
  EXPECT_THAT(ToSvg(picture), Not(HasSubstr(">1e3<")));
}

}  // namespace
}  // namespace gradwire::train
