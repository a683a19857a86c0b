// SPDX-License-Identifier: Apache-2.0
#include "exchange/agree.h"

#include <random>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr int kLinesShown = 3;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string Difference(const std::string& zero, const std::string& other) {
  const std::vector<std::string> a = Lines(zero), b = Lines(other);
  std::string text;
  int shown = 0;
  for (size_t i = 0; i < std::max(a.size(), b.size()) && shown < kLinesShown; ++i) {
    const std::string here = i < a.size() ? a[i] : "(nothing)", there = i < b.size() ? b[i] : "(nothing)";
    if (here == there) continue;
    text += fmt::format("\n  rank 0: {}\n  there:  {}", here, there);
    ++shown;
  }
  return text;
}

/// A number of 16 digits in front of the settings; only rank 0's counts.
std::string Nonce() {
  std::random_device device;
  return fmt::format("{:016x}", static_cast<uint64_t>(device()) << 32 | device());
}

}  // namespace

uint64_t Agree(Collective& collective, const std::string& settings) {
  const std::string nonce = Nonce();
  const std::vector<std::string> all = collective.GatherText(nonce + settings);
  const std::string zero = all[0].substr(nonce.size());
  for (size_t rank = 1; rank < all.size(); ++rank) {
    const std::string other = all[rank].substr(nonce.size());
    if (other != zero)
      throw ConfigError(fmt::format("rank {} runs with other settings than rank 0; give all ranks the same:{}", rank,
                                    Difference(zero, other)));
  }
  return XXH3_64bits(all[0].data(), all[0].size());
}

}  // namespace gradwire
