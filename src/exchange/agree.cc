// SPDX-License-Identifier: Apache-2.0
#include "exchange/agree.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <span>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr int kLinesShown = 3;
constexpr size_t kDigits = 16;                  // hexadecimal, of a number of 64 bits
constexpr size_t kMostText = size_t{64} << 20;  // bytes: a line for each of a million parameters

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

/// Throws where the ranks' texts differ after as many letters.
void Compare(const std::vector<std::string>& all, size_t from) {
  const std::string zero = all[0].substr(from);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    const std::string other = all[rank].substr(from);
    if (other != zero)
      throw ConfigError(fmt::format("rank {} runs with other settings than rank 0; give all ranks the same:{}", rank,
                                    Difference(zero, other)));
  }
}

/// The number in the second half of a digest.
size_t LengthIn(const std::string& digest, int peer) {
  size_t length = 0;
  const char *begin = digest.data() + kDigits, *end = digest.data() + digest.size();
  if (std::from_chars(begin, end, length, 16).ptr != end || length == 0 || length > kMostText)
    throw PeerError(peer, fmt::format("rank {} states settings of unknown length", peer));
  return length;
}

/// Every rank gets every other one's text, whose length it knows.
void Swap(Collective& collective, std::vector<std::string>& texts) {
  const auto rank = static_cast<size_t>(collective.rank());
  std::vector<Outgoing> outgoing;
  std::vector<Incoming> incoming;
  for (size_t peer = 0; peer < texts.size(); ++peer) {
    if (peer == rank) continue;
    outgoing.push_back({static_cast<int>(peer), std::as_bytes(std::span(texts[rank]))});
    incoming.push_back({static_cast<int>(peer), std::as_writable_bytes(std::span(texts[peer]))});
  }
  collective.Finish(collective.Start(outgoing, incoming));
}

}  // namespace

uint64_t Agree(Collective& collective, const std::string& settings) {
  const std::string nonce = Nonce();
  const std::vector<std::string> all = collective.GatherText(nonce + settings);
  Compare(all, nonce.size());
  return XXH3_64bits(all[0].data(), all[0].size());
}

void Agreement::Reach(Collective& collective, const std::string& settings) {
  const auto size = static_cast<size_t>(collective.size()), rank = static_cast<size_t>(collective.rank());
  digests_.assign(size, std::string(2 * kDigits, '0'));
  digests_[rank] = fmt::format("{:016x}{:016x}", XXH3_64bits(settings.data(), settings.size()), settings.size());
  Swap(collective, digests_);
  if (std::ranges::count(digests_, digests_[0]) == collective.size()) return;
  texts_.assign(size, "");
  for (size_t peer = 0; peer < size; ++peer) texts_[peer].resize(LengthIn(digests_[peer], static_cast<int>(peer)));
  texts_[rank] = settings;
  Swap(collective, texts_);
  Compare(texts_, 0);
}

}  // namespace gradwire
