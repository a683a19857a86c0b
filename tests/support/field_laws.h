// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a decoder owes a peer's numbers. Like the other laws these return what they saw broken, or nothing.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "gradwire/error.h"
#include "support/operators.h"

namespace gradwire::testing {

/// C(x) from bytes, or nothing where they are refused.
template <typename T>
std::vector<T> DecodeOrNothing(const Compressor& compressor, const Site& site, std::span<const std::byte> bytes) {
  try {
    return Decode<T>(compressor, site, bytes);
  } catch (const PeerError&) {
    return {};
  }
}

/// Whether the word stands for many elements: twice of it is twice of some of them, two at least, and changes no other.
template <typename T>
bool IsScale(const std::vector<T>& sent, const std::vector<T>& doubled) {
  size_t twice = 0;
  for (size_t i = 0; i < doubled.size(); ++i) {
    if (doubled[i] == sent[i]) continue;
    if (!(doubled[i] == 2 * sent[i])) return false;
    ++twice;
  }
  return twice > 1;
}

/// Every scale, norm or magnitude of a payload is refused where it is NaN, infinite or -1; any other word may hold
/// these bits if it is refused, or if at most one element, whose value it then is, is not finite. Fields are found by
/// trying each word of the payload.
template <typename T>
std::string ScalesAreChecked(const Compressor& compressor, const PieceCase<T>& c) {
  std::vector<std::byte> bytes = Encode(compressor, c.site, c.x).bytes;
  const std::vector<T> sent = Decode<T>(compressor, c.site, bytes);
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += 4) {
    T word;
    std::memcpy(&word, &bytes[at], sizeof(T));
    const auto decoded = [&](T value) {
      std::memcpy(&bytes[at], &value, sizeof(T));
      const std::vector<T> values = DecodeOrNothing<T>(compressor, c.site, bytes);
      std::memcpy(&bytes[at], &word, sizeof(T));
      return values;
    };
    const bool scale = std::isfinite(word) && word > 0 && IsScale(sent, decoded(2 * word));
    for (const T foreign : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(), T(-1)}) {
      const std::vector<T> values = decoded(foreign);
      const auto lost = std::ranges::count_if(values, [](T x) { return !std::isfinite(x); });
      if ((scale && !values.empty()) || lost > 1)
        return "byte " + std::to_string(at) + " may hold " + std::to_string(foreign) + (scale ? " as a scale" : "");
    }
  }
  return {};
}

}  // namespace gradwire::testing
