// SPDX-License-Identifier: Apache-2.0
#include "gradwire/method.h"

namespace gradwire {

using Rule = Coefficient::Rule;

/// The only list of methods: a new one is a row here and its acceptance number in tests/method/.
const std::vector<Method>& Methods() {
  static const std::vector<Method> methods = {
      {.name = "none", .link = "raw", .compressor = "identity", .only = true,
       .summary = "plain gradients, bit for bit what DDP gives", .source = "parallel SGD"},
      {.name = "dcgd", .link = "raw", .compressor = "topk:1%",
       .summary = "compressed gradients without memory", .source = "Khirirat et al. 2018, arXiv 1806.06573"},
      {.name = "ef", .link = "ef", .compressor = "sign",
       .summary = "error feedback, step size outside",
       .source = "Seide et al. 2014; Karimireddy et al. 2019, arXiv 1901.09847"},
      {.name = "ec", .link = "ef_in", .compressor = "topk:1%",
       .summary = "error compensation, step size inside (EC-SGD, EC-GD, MEM-SGD)",
       .source = "Stich et al. 2018, arXiv 1809.07599; Gorbunov et al. 2020, arXiv 2010.12292"},
      {.name = "doublesqueeze", .link = "ef", .compressor = "topk:1%", .down = "ef",
       .summary = "error feedback on the way to the owners and on the way back",
       .source = "Tang et al. 2019, arXiv 1905.05957"},
      {.name = "econtrol", .link = "econtrol", .compressor = "topk:1%",
       .summary = "error feedback under control: a share eta = delta of the memory joins the message",
       .source = "Gao et al. 2024, arXiv 2311.05645"},
      {.name = "ef21", .link = "ef21", .compressor = "topk:1%",
       .summary = "both ends hold an estimate, and its differences are sent",
       .source = "Richtarik et al. 2021, arXiv 2106.05203"},
      {.name = "diana", .link = "diana", .compressor = "randk:1%",
       .summary = "unbiased compression of the difference to a learned shift",
       .source = "Mishchenko et al. 2019, arXiv 1901.09269"},
      {.name = "diana_dq", .link = "diana", .compressor = "randk:1%", .down = "raw",
       .summary = "diana, with the mean compressed on its way back", .source = "Gorbunov et al. 2020, arXiv 2010.12292"},
      {.name = "dore", .link = "diana", .compressor = "randk:1%", .down = "dore", .alpha = Rule::kHalfDamping,
       .summary = "diana on the way up, the model's step with error feedback on the way back",
       .source = "Liu et al. 2020, arXiv 1910.07561"},
      {.name = "ec_diana", .link = "ef_in", .compressor = "topk:1%", .learner = "randk:1%",
       .summary = "error compensation of what a shift, taught by an unbiased operator, does not know",
       .source = "Gorbunov et al. 2020, arXiv 2010.12292"},
      {.name = "marina", .link = "marina", .compressor = "randk:1%",
       .summary = "compressed changes of the gradient, and a dense round where the shared coin says so",
       .source = "Gorbunov et al. 2021, arXiv 2102.07845"},
      {.name = "qsgd", .link = "raw", .compressor = "qsgd:127", .estimator = "sgd",
       .summary = "quantised stochastic gradients", .source = "Alistarh et al. 2017, arXiv 1610.02132"},
      {.name = "terngrad", .link = "raw", .compressor = "terngrad", .only = true, .estimator = "sgd",
       .summary = "ternary stochastic gradients", .source = "Wen et al. 2017, arXiv 1705.07878"},
      {.name = "signsgd", .link = "raw", .compressor = "sign:plain", .only = true, .estimator = "sgd",
       .summary = "the mean of the workers' signs", .source = "Bernstein et al. 2018, arXiv 1802.04434"},
      {.name = "signsgd_mv", .link = "raw", .compressor = "sign:plain", .only = true, .down = "raw", .estimator = "sgd",
       .summary = "the sign of the sum of the workers' signs", .source = "Bernstein et al. 2019, arXiv 1810.05291"},
      {.name = "ssdm", .link = "raw", .compressor = "ssign", .only = true, .estimator = "sgd", .ema = 0.1,
       .summary = "stochastic signs of the workers' momenta", .source = "Safaryan & Richtarik 2021, arXiv 1905.12938"},
      {.name = "ec_star", .link = "ef_in", .compressor = "topk:1%", .star_shift = true,
       .summary = "error compensation of the difference to the gradient at the solution (EC-GDstar)",
       .source = "Gorbunov et al. 2020, arXiv 2010.12292"},
      {.name = "ec_lsvrg", .link = "ef_in", .compressor = "topk:1%", .estimator = "lsvrg",
       .summary = "error compensation of variance-reduced gradients", .source = "Gorbunov et al. 2020, arXiv 2010.12292"},
      {.name = "ec_lsvrg_star", .link = "ef_in", .compressor = "topk:1%", .estimator = "lsvrg", .star_shift = true,
       .summary = "ec_lsvrg of the difference to the gradient at the solution",
       .source = "Gorbunov et al. 2020, arXiv 2010.12292"},
      {.name = "ec_lsvrg_diana", .link = "ef_in", .compressor = "topk:1%", .learner = "randk:1%", .estimator = "lsvrg",
       .summary = "ec_diana of variance-reduced gradients: the first linear rate of a stochastic error compensation",
       .source = "Gorbunov et al. 2020, arXiv 2010.12292"},
      {.name = "vr_diana", .link = "diana", .compressor = "randk:1%", .estimator = "lsvrg", .coin = "common",
       .summary = "diana of variance-reduced gradients", .source = "Horvath et al. 2019, arXiv 1904.05115"},
      {.name = "clip21", .link = "damped", .compressor = "clip:1",
       .summary = "clipping with feedback: ef21 from 0 around clip", .source = "Khirirat et al. 2023, arXiv 2305.18929"},
      {.name = "clip21_sgd2m", .link = "damped", .compressor = "clip:1", .alpha = 0.5, .estimator = "sgd", .ema = 0.1,
       .summary = "clip21 of momenta with a damped shift; with comm.noise differentially private",
       .source = "Islamov et al. 2025, arXiv 2502.11682"},
  };
  return methods;
}

}  // namespace gradwire
