// SPDX-License-Identifier: Apache-2.0
#include "train/report/alpha_beta_report.h"

#include <cmath>

#include <fmt/format.h>

#include "train/report/picture.h"
#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

std::string ToCsv(const AlphaBetaMeter& seen) {
  std::string text = "alpha,beta,holds\n";
  for (size_t a = 0; a < seen.betas().size(); ++a)
    text += fmt::format("{},{:.9g},{}\n", AlphaBetaMeter::Alphas()[a], seen.betas()[a],
                        seen.betas()[a] < AlphaBetaMeter::Alphas()[a] ? 1 : 0);
  return text;
}

Picture Draw(const AlphaBetaMeter& seen) {
  const std::vector<double>& alphas = AlphaBetaMeter::Alphas();
  return {.x_label = "alpha",
          .y_label = "beta",
          .curves = {{.name = "least beta of the run", .x = alphas, .y = seen.betas()},
                     {.name = "beta = alpha", .x = alphas, .y = alphas, .style = PictureCurve::Style::kDashed}}};
}

std::string WherePossible(const AlphaBetaMeter& seen) {
  std::string text;
  for (size_t a = 0; a < seen.betas().size(); ++a)
    if (seen.betas()[a] < AlphaBetaMeter::Alphas()[a])
      text += fmt::format("{}({:.4g}, {:.4g})", text.empty() ? "" : ", ", AlphaBetaMeter::Alphas()[a], seen.betas()[a]);
  return text.empty() ? "it holds for no pair of the list" : "it holds for the pairs from " + text;
}

}  // namespace

void WriteAlphaBeta(const AlphaBetaMeter& seen, const std::string& folder, Report& report) {
  WriteFile(folder + "/alpha_beta.csv", ToCsv(seen));
  WriteFile(folder + "/alpha_beta.svg", ToSvg(Draw(seen)));
  report.Log(fmt::format("alpha-beta condition, {} views from the last point, inf f_i taken as 0: {}", seen.views(),
                         WherePossible(seen)));
  report.Log(fmt::format(
      "least cosine of the gradient and the way from the last point {:.4g}; least "
      "||grad f_i||^2 / (f_i(x) - f_i(x^K)) {}; {}/alpha_beta.svg",
      seen.least_cosine(), std::isfinite(seen.least_pl()) ? fmt::format("{:.4g}", seen.least_pl()) : "none", folder));
}

}  // namespace gradwire::train
