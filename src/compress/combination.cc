// SPDX-License-Identifier: Apache-2.0
#include "compress/combination.h"

#include <fmt/format.h>

#include "compress/smooth.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(' '), text.size());
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

}  // namespace

ConfigError BadCombination(std::string_view op, std::string_view arguments, std::string_view reason) {
  return ConfigError(fmt::format("compressor '{}({})': {}", op, arguments, reason));
}

std::vector<std::string_view> CutArguments(std::string_view op, std::string_view arguments, size_t count,
                                           std::string_view syntax) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i < arguments.size(); ++i) {
    depth += (arguments[i] == '(') - (arguments[i] == ')');
    if (depth < 0) break;
    if (arguments[i] == ',' && depth == 0) {
      parts.push_back(Trim(arguments.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  parts.push_back(Trim(arguments.substr(begin)));
  if (depth != 0 || parts.size() != count) throw BadCombination(op, arguments, fmt::format("expected {}", syntax));
  return parts;
}

Part ParsePart(std::string_view op, std::string_view arguments, std::string_view part) {
  Part parsed;
  try {
    parsed = ParseCompressor(part);
  } catch (const ConfigError& error) {
    throw BadCombination(op, arguments, error.what());
  }
  if (NeedsSmoothness(*parsed))
    throw BadCombination(op, arguments,
                         fmt::format("{} is made of the workers' smoothness matrices, which parts are not given; "
                                     "expected coins or steps without smooth",
                                     part));
  return parsed;
}

}  // namespace gradwire
