// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace gradwire {

/// When a long wait is worth a line: after 10 s, or half of its timeout where that is less, and then once a minute.
class Notice {
 public:
  explicit Notice(std::chrono::milliseconds timeout)
      : first_(std::min<std::chrono::milliseconds>(kFirst, timeout / 2)), next_(first_) {}

  /// Asked again and again during a wait, with its length so far; less than before: of the next wait.
  bool IsDue(std::chrono::milliseconds waited) {
    if (waited < last_) next_ = first_;
    last_ = waited;
    if (waited < next_) return false;
    next_ = waited + kAgain;
    return true;
  }

 private:
  static constexpr std::chrono::seconds kFirst{10};
  static constexpr std::chrono::minutes kAgain{1};

  std::chrono::milliseconds first_, next_, last_{0};
};

/// "3 s", of what is left or over.
inline std::string Seconds(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::round<std::chrono::seconds>(time).count()) + " s";
}

/// "rank 1", "ranks 1, 3".
inline std::string NameRanks(const std::vector<int>& ranks, const std::string& noun = "rank") {
  std::string text = noun + (ranks.size() == 1 ? " " : "s ");
  for (size_t i = 0; i < ranks.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(ranks[i]);
  return text;
}

/// One line on stderr, whole beside those of other threads and processes.
inline void SayOnStderr(const std::string& text) {
  const std::string line = "gradwire: " + text + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace gradwire
