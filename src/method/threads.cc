// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "method/choices.h"

namespace gradwire {
namespace {

constexpr int kMost = 256, kUsualMost = 4;

std::optional<int> NumberIn(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

/// Ranks share the cores that this process may run on; one of a rank's own is left to whoever computes gradients.
/// Where no launcher says how many ranks are here, there may be any number, and each has one thread.
int UsualThreads() {
  const char* text = std::getenv("LOCAL_WORLD_SIZE");
  const std::optional<int> ranks = text == nullptr ? std::nullopt : NumberIn(text);
  cpu_set_t cores;
  if (!ranks || sched_getaffinity(0, sizeof(cores), &cores) != 0) return 1;
  return std::clamp(CPU_COUNT(&cores) / *ranks - 1, 1, kUsualMost);
}

}  // namespace

void SetThreads(const CommConfig& config, ExchangeParts& parts) {
  const std::optional<int> number = config.threads == "auto" ? UsualThreads() : NumberIn(config.threads);
  if (!number || *number > kMost)
    throw ConfigError("comm.threads",
                      fmt::format("'{}': expected auto or a whole number from 1 to {}", config.threads, kMost));
  parts.threads = static_cast<size_t>(*number);
}

}  // namespace gradwire
