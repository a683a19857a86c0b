// SPDX-License-Identifier: Apache-2.0
#include "train/config/home_path.h"

#include <cstdlib>

namespace gradwire::train {

std::string WithHome(std::string path) {
  const char* home = std::getenv("HOME");
  const bool is_at_home = path == "~" || path.starts_with("~/");
  if (is_at_home && home != nullptr && *home != '\0') path.replace(0, 1, home);
  return path;
}

}  // namespace gradwire::train
