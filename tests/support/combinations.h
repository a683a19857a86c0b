// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cctype>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/compressor.h"
#include "gradwire/error.h"
#include "gradwire/method.h"

namespace gradwire::testing {

/// A method and an operator that go together.
struct Combination {
  std::string method, compressor;

  CommConfig Config() const {
    CommConfig config;
    config.method = method;
    config.compressor = compressor;
    return config;
  }
};

inline std::ostream& operator<<(std::ostream& out, const Combination& c) {
  return out << c.method << " " << c.compressor;
}

/// As a part of a test's name: letters and digits only.
inline std::string NameOf(const Combination& c) {
  std::string name = c.method + "_" + c.compressor;
  for (char& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = letter == '%' ? 'p' : '_';
  return name;
}

/// Every example of every operator, or only its first, with each of these methods that takes it.
inline std::vector<Combination> Combinations(const std::vector<std::string>& methods, bool first_only = false) {
  std::vector<Combination> all;
  for (const std::string& method : methods)
    for (const CompressorInfo& info : Compressors())
      for (const std::string_view example : info.examples) {
        if (first_only && example != info.examples.front()) continue;
        const Combination candidate{method, std::string(example)};
        try {
          MakeParts(candidate.Config(), 0);
        } catch (const ConfigError&) {
          continue;  // they do not fit
        }
        all.push_back(candidate);
      }
  return all;
}

}  // namespace gradwire::testing
