// SPDX-License-Identifier: Apache-2.0
#include "base/notice.h"

#include <gtest/gtest.h>

namespace gradwire {
namespace {

using namespace std::chrono_literals;

/// The seconds of a wait, looked at once a second, at which something is said.
std::vector<int> SaidAt(Notice& notice, int length) {
  std::vector<int> said;
  for (int second = 0; second <= length; ++second)
    if (notice.IsDue(std::chrono::seconds(second))) said.push_back(second);
  return said;
}

TEST(Notice, ComesAfterTenSecondsAndThenEveryMinuteOfEachWait) {
  Notice notice(300s);
  EXPECT_EQ(SaidAt(notice, 9), std::vector<int>{});
  EXPECT_EQ(SaidAt(notice, 150), (std::vector<int>{10, 70, 130}));
  EXPECT_EQ(SaidAt(notice, 30), std::vector<int>{10});  // the next wait
}

TEST(Notice, ComesBeforeAShortTimeoutIsOver) {
  Notice notice(5s);
  EXPECT_EQ(SaidAt(notice, 4), std::vector<int>{3});
}

TEST(Notice, NamesWhoIsMissing) {
  EXPECT_EQ(NameRanks({1}), "rank 1");
  EXPECT_EQ(NameRanks({0, 2}, "worker"), "workers 0, 2");
}

}  // namespace
}  // namespace gradwire
