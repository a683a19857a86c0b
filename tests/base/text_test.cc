// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <sstream>

#include <gtest/gtest.h>

namespace gradwire {
namespace {

TEST(Text, WhatATerminalCannotShowIsEscaped) {
  EXPECT_EQ(Printable("a\tb\nc \xc3\xbc \xe2\x80\x9cq\xe2\x80\x9d"), "a\tb\nc \xc3\xbc \xe2\x80\x9cq\xe2\x80\x9d");
  EXPECT_EQ(Printable("\x1b[31m\r\x7f"), "\\x1b[31m\\x0d\\x7f");
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Printable("a\xc2\xa0"
                      "b\xe2\x80\x8b\xef\xbb\xbf"),
            "a\\u{00a0}b\\u{200b}\\u{feff}");
  for (const char* bad :
       {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80"})
    EXPECT_EQ(Printable(bad).substr(0, 2), "\\x") << Printable(bad);
}

TEST(Text, AValueIsShownOnOneLineAndCut) {
  EXPECT_EQ(Shown("a\nb"), "a\\x0ab");
  EXPECT_EQ(Shown("abcdef", 4), "abcd... (6 bytes)");
  EXPECT_EQ(Shown("abc\xc3\xbc"
                  "d",
                  4),
            "abc... (6 bytes)");
}

TEST(Text, BytesThatNoTextHasAreFound) {
  EXPECT_EQ(FindNoText("run:\n\tseed: \xc3\xbc"), std::string_view::npos);
  EXPECT_EQ(FindNoText("ab\x01"), 2u);
  EXPECT_EQ(FindNoText("ab\r\n"), 2u);
  EXPECT_EQ(FindNoText("ab\xff"), 2u);
}

TEST(Text, PackedFilesAndMarksAreKnownByTheirFirstBytes) {
  EXPECT_EQ(UnpackerOf("\x1f\x8b\x08"), "gunzip");
  EXPECT_EQ(UnpackerOf("BZh91AY"), "bunzip2");
  EXPECT_EQ(UnpackerOf(std::string_view("\xfd\x37zXZ\0", 6)), "unxz");
  EXPECT_EQ(UnpackerOf("\x28\xb5\x2f\xfd"), "unzstd");
  EXPECT_EQ(UnpackerOf("PK\x03\x04"), "unzip");
  EXPECT_EQ(UnpackerOf("+1 1:1"), "");
  EXPECT_EQ(BehindMark("\xef\xbb\xbfrun"), "run");
  EXPECT_EQ(BehindMark("run"), "run");
}

TEST(Text, LinesAreReadUpToALimit) {
  std::istringstream in("ab\n\nabcdef\nx");
  std::string line;
  EXPECT_TRUE(ReadLine(in, line, 3) && line == "ab");
  EXPECT_TRUE(ReadLine(in, line, 3) && line.empty());
  EXPECT_TRUE(ReadLine(in, line, 3) && line == "abcd");
  EXPECT_TRUE(ReadLine(in, line, 3) && line == "ef");
  EXPECT_TRUE(ReadLine(in, line, 3) && line == "x");
  EXPECT_FALSE(ReadLine(in, line, 3));
}

}  // namespace
}  // namespace gradwire
