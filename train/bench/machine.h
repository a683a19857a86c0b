// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace gradwire::train {

/// The CPU by its own words, of /proc/cpuinfo; empty where it does not say (as on ARM).
struct Cpu {
  std::string model, vendor;
};
Cpu ThisCpu();

}  // namespace gradwire::train
