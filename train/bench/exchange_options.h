// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gradwire/comm_config.h"

namespace gradwire::train {

struct ExchangeOptions {
  std::string model = "resnet18";             ///< or a number of elements
  int ranks = 2;                              ///< processes
  std::vector<std::string> compressors = {};  ///< as ParseVariant takes them; empty: the usual ones
  std::string rate = {};                      ///< of a host's link, "1gbit"; empty: loopback
  std::string json = {};                      ///< file to write; empty: none
  size_t rounds = 9;                          ///< in each of which every variant has a turn
  size_t steps = 3;                           ///< of a turn; fewer where they take long
  double timeout_s = 120;                     ///< of any wait for a rank
};

/// A way of exchanging gradients, by its name in the table.
struct VariantSpec {
  enum class Kind { kDense, kFloor, kGradwire };
  Kind kind = Kind::kGradwire;
  std::string name;
  CommConfig comm = {};
};

/// "METHOD+SPEC", "SPEC" (of method ef) or "METHOD" (with its usual operator), then keys of comm: "ef+sign
/// topology=sharded". Throws ConfigError that begins with --compressor and says what was expected.
VariantSpec ParseVariant(const std::string& words);

/// The keys of comm that differ from their defaults, and method and compressor: what another door makes it of.
std::vector<std::pair<std::string, std::string>> SettingsOf(const CommConfig& comm);

/// Dense DDP, the floor (a hook that returns the bucket as it is) and one for each of the compressors. Throws
/// ConfigError.
std::vector<VariantSpec> VariantsOf(const ExchangeOptions& options);

/// Shapes of a model's parameters: resnet18's, of 11,173,962 elements, or a number of elements in layers of a million.
/// Throws ConfigError that begins with --model.
std::vector<std::vector<int64_t>> ShapesOf(const std::string& model);

/// Bits a second of "100mbit", "1gbit", in tc's units. Throws ConfigError that begins with --rate.
double BitsPerSecond(const std::string& rate);

/// All of what can be wrong before anything is started. Throws ConfigError.
void Check(const ExchangeOptions& options);

}  // namespace gradwire::train
