// SPDX-License-Identifier: Apache-2.0
#include "base/names.h"

#include <map>

namespace gradwire {

std::string CanonicalName(std::string_view name) {
  std::string canonical;
  while (!name.empty()) {
    const size_t dot = name.find('.');
    const std::string_view part = name.substr(0, dot);
    const bool is_last = dot == std::string_view::npos;
    const bool is_wrapper =
        part == "_orig_mod" || part == "_checkpoint_wrapped_module" || (part == "module" && canonical.empty());
    if (is_last || !is_wrapper) canonical.append(canonical.empty() ? "" : ".").append(part);
    name = is_last ? std::string_view{} : name.substr(dot + 1);
  }
  return canonical;
}

std::vector<std::string> CanonicalNames(const std::vector<std::string>& names) {
  std::map<std::string, int> counts;
  for (const std::string& name : names) ++counts[CanonicalName(name)];
  std::vector<std::string> canonical;
  for (const std::string& name : names) {
    const std::string plain = CanonicalName(name);
    canonical.push_back(counts[plain] == 1 ? plain : name);
  }
  return canonical;
}

}  // namespace gradwire
