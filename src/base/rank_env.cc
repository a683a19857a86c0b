// SPDX-License-Identifier: Apache-2.0
#include "base/rank_env.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

std::string TextFromEnv(const char* name) {
  const char* text = std::getenv(name);
  if (text != nullptr && *text != '\0') return text;
  throw ConfigError(
      fmt::format("environment: {} is not set, but RANK or WORLD_SIZE is: expected all of RANK, "
                  "WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun "
                  "sets them, or neither RANK nor WORLD_SIZE to start ranks on this machine",
                  name));
}

/// `bound` says in words where `max` comes from.
int IntegerFromEnv(const char* name, int min, int max, std::string_view bound) {
  const std::string text = TextFromEnv(name);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= min && value <= max) return value;
  throw ConfigError(
      fmt::format("environment: {}: found '{}', expected an integer from {} to {} ({})", name, text, min, max, bound));
}

}  // namespace

std::optional<RankEnv> RankFromEnv() {
  if (std::getenv("RANK") == nullptr && std::getenv("WORLD_SIZE") == nullptr) return std::nullopt;
  RankEnv env;
  env.world_size = IntegerFromEnv("WORLD_SIZE", 1, 1 << 20, "ranks of the job");
  env.rank = IntegerFromEnv("RANK", 0, env.world_size - 1, "WORLD_SIZE - 1");
  env.local_world_size = IntegerFromEnv("LOCAL_WORLD_SIZE", 1, env.world_size, "WORLD_SIZE");
  env.local_rank = IntegerFromEnv("LOCAL_RANK", 0, env.local_world_size - 1, "LOCAL_WORLD_SIZE - 1");
  env.master_addr = TextFromEnv("MASTER_ADDR");
  env.master_port = IntegerFromEnv("MASTER_PORT", 1, 65535, "TCP ports");
  const char* agent_store = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  env.store_is_served = agent_store != nullptr && std::string_view(agent_store) == "True";
  return env;
}

}  // namespace gradwire
