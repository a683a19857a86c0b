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
  };
  return methods;
}

}  // namespace gradwire
