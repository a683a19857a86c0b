// SPDX-License-Identifier: Apache-2.0
#include "train/bench/machine.h"

#include <fstream>

namespace gradwire::train {

Cpu ThisCpu() {
  Cpu cpu;
  std::ifstream in("/proc/cpuinfo");
  const auto read = [](const std::string& line, std::string_view name, std::string& value) {
    const size_t colon = line.find(": ");
    if (value.empty() && line.starts_with(name) && colon != std::string::npos) value = line.substr(colon + 2);
  };
  for (std::string line; std::getline(in, line) && !line.empty();) {
    read(line, "model name", cpu.model);
    read(line, "vendor_id", cpu.vendor);
  }
  return cpu;
}

}  // namespace gradwire::train
