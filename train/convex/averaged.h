// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "train/convex/convex_driver.h"

namespace gradwire::train {

/// The steps of `inner`, and beside them the mean of the points x_0 .. x_(T-1) that all workers held before each, x_t
/// with weight (a + t)^2, a > 0: what MEM-SGD's rate is proved for (Stich, Cordonnier & Jaggi, NeurIPS 2018, arXiv
/// 1809.07599, theorem 2.4), with steps in proportion to 1 / (a + t). Its part of a ConvexState is `average`.
std::unique_ptr<ConvexDriver> AverageOf(std::unique_ptr<ConvexDriver> inner, double a);

}  // namespace gradwire::train
