// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cctype>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/topologies.h"
#include "gradwire/compressor.h"
#include "gradwire/error.h"
#include "gradwire/method.h"

namespace gradwire::testing {

/// A method and an operator that go together; perhaps on another topology, or with another way back, than its own.
struct Combination {
  std::string method, compressor, topology = "auto", down = "auto";

  CommConfig Config() const {
    CommConfig config;
    config.method = method;
    config.compressor = compressor;
    config.topology = topology;
    config.down = down;
    if (compressor != "auto" && ParseCompressor(compressor)->sees_shape()) config.piece = "matrix";
    return config;
  }
};

inline std::ostream& operator<<(std::ostream& out, const Combination& c) {
  return out << c.method << " " << c.compressor;
}

/// As a part of a test's name: letters and digits only.
inline std::string NameOf(const Combination& c) {
  std::string name = c.method + "_" + c.compressor + (c.topology == "auto" ? "" : "_" + c.topology) +
                     (c.down == "auto" ? "" : "_" + c.down);
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
          if (MakeParts(candidate.Config(), 0).compressor->scope() == Scope::kModel) continue;  // one parameter only
        } catch (const ConfigError&) {
          continue;  // they do not fit
        }
        all.push_back(candidate);
      }
  return all;
}

/// A method with an example of every operator that fits, on every topology and with every way back that fit.
inline std::vector<Combination> EveryCombination(const std::string& method) {
  std::vector<std::string> downs = {"auto"};
  for (const Link& link : DownLinks()) downs.emplace_back(link.name);
  std::vector<std::string> topologies = {"auto"};  // takes those that sum by itself, where they fit
  for (const Topology& topology : Topologies())
    if (!topology.sums) topologies.emplace_back(topology.name);
  std::vector<Combination> all;
  for (Combination c : Combinations({method}, /*first_only=*/true))
    for (const std::string& topology : topologies)
      for (const std::string& down : downs) {
        c.topology = topology, c.down = down;
        try {
          MakeParts(c.Config(), 0);
        } catch (const ConfigError&) {
          continue;
        }
        if (down == "auto" || c.topology == "sharded") all.push_back(c);
      }
  return all;
}

}  // namespace gradwire::testing
