// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "gradwire/comm_config.h"
#include "gradwire/exchange.h"

namespace gradwire {

/// A method is a named row of parts.
struct Method {
  std::string_view name;
  std::string_view link;        ///< a row of Links()
  std::string_view compressor;  ///< the only one that the method takes; empty: the user's
  std::string_view summary;
  std::string_view source;
};

/// Every method there is.
const std::vector<Method>& Methods();

/// The parts that a configuration names. Throws ConfigError that begins with the key: "comm.method: ...".
ExchangeParts MakeParts(const CommConfig& config, uint64_t seed);

}  // namespace gradwire
