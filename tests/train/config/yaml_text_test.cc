// SPDX-License-Identifier: Apache-2.0
#include "train/config/yaml_text.h"

#include <unistd.h>

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;
using Kind = ConfigValue::Kind;

std::string Refusal(const std::string& text) {
  try {
    ReadYaml(text, "f.yaml");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// The value of a text of one key.
ConfigValue Value(const std::string& text) { return ReadYaml("a: " + text, "f.yaml").elements.at(1); }

TEST(YamlText, MapsListsAndScalarsKeepTheirLines) {
  const ConfigValue map = ReadYaml("a: 1\nb:\n  - x\n  - \"y\"\nc:\n", "f.yaml");
  ASSERT_EQ(map.kind, Kind::kMap);
  ASSERT_EQ(map.elements.size(), 6u);
  EXPECT_EQ(map.elements[1].kind, Kind::kPlain);
  EXPECT_EQ(map.elements[2].line, 2u);
  EXPECT_EQ(map.elements[3].elements.at(0).text, "x");
  EXPECT_EQ(map.elements[3].elements.at(1).kind, Kind::kQuoted);
  EXPECT_EQ(map.elements[5].kind, Kind::kNothing);
  EXPECT_EQ(ReadYaml("", "f.yaml").kind, Kind::kNothing);
  EXPECT_EQ(ReadYaml("# a comment\n", "f.yaml").kind, Kind::kNothing);
}

TEST(YamlText, AMarkAndTheLineEndsOfOtherSystemsChangeNothing) {
  for (const char* text : {"\xef\xbb\xbfrun:\n  seed: 3\n", "run:\r\n  seed: 3\r\n", "run:\r  seed: 3\r"}) {
    const ConfigValue map = ReadYaml(text, "f.yaml");
    EXPECT_EQ(map.elements.at(1).elements.at(1).text, "3");
    EXPECT_EQ(map.elements.at(1).elements.at(0).line, 2u);
  }
}

TEST(YamlText, AliasesAreCopiesOfWhatTheyName) {
  EXPECT_EQ(Value("[&x [1, 2], *x]").elements.at(1).elements.at(1).text, "2");
  EXPECT_THAT(Refusal("a: &x [*x]"), HasSubstr("f.yaml:1: an alias stands within what it names"));
}

/// Nine levels of nine aliases each stand for 10^8 values.
TEST(YamlText, AliasesOfAliasesAreCountedAsWhatTheyStandFor) {
  std::string laughs = "a: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (char level = '1'; level < '9'; ++level) {
    const char last = static_cast<char>(level - 1);
    laughs.append("b: &a").append(1, level).append(" [x");
    for (int k = 0; k < 9; ++k) laughs.append(", *a").append(1, last);
    laughs.append("]\n");
  }
  EXPECT_THAT(Refusal(laughs), HasSubstr("more than 10000 values"));
}

TEST(YamlText, DepthSizeAndDocumentsHaveLimits) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(Refusal(nested(kMaxYamlDepth)), "no error");
  for (const size_t depth : {kMaxYamlDepth + 1, size_t{400}, size_t{30'000}, size_t{120'000}})
    EXPECT_THAT(Refusal(nested(depth)), HasSubstr("more than 16 deep")) << depth;
  EXPECT_THAT(Refusal(std::string(kMaxYamlBytes + 1, ' ')), HasSubstr("f.yaml: is larger than 262144 bytes"));
  EXPECT_THAT(Refusal("a: 1\n---\nb: 2\n"), HasSubstr("f.yaml:2: the first YAML document ends before this line"));
}

TEST(YamlText, WhatIsNoTextIsSaid) {
  EXPECT_THAT(Refusal(std::string("a: 1\nb: \0", 9)), HasSubstr("f.yaml:2: found the byte \\x00, expected YAML text"));
  EXPECT_THAT(Refusal("a: \xff\n"), HasSubstr("f.yaml:1: found the byte \\xff"));
  EXPECT_THAT(Refusal("\x1f\x8b\x08"), HasSubstr("f.yaml: is packed; expected YAML text: gunzip it first"));
}

/// Empty documents before a comma, for ever, is what yaml-cpp 0.7 makes of these.
TEST(YamlText, StrayCommasEnd) {
  for (const char* text : {",", ",,", "a: 1\n,", "{a: 1},", "[],[]", "? ,", "- ,"})
    EXPECT_NE(Refusal(text), "no error") << text;
}

/// A text of YAML's own pieces in any order.
std::string Scramble(std::mt19937& random) {
  static const std::vector<std::string> pieces = {
      ",",     "[",        "]",     "{",    "}",        ":",    ": ",      "- ",          "? ",    "\n",
      "\n  ",  "\n    ",   "\t",    "#",    " #",       "&a ",  "*a",      "&b",          "!",     "!!str ",
      "|",     ">",        "|2-\n", "'",    "\"",       "\\",   "%",       "%YAML 1.2\n", "---",   "---\n",
      "...\n", "@",        "`",     "<<",   "a",        "run:", "seed: 1", "~",           "1e999", "0x10",
      "\\x",   "\xc3\xbc", " ",     "a: b", "- a\n- b", "null"};
  std::string text;
  const size_t count = random() % 14;
  for (size_t i = 0; i < count; ++i) text += pieces[random() % pieces.size()];
  return text;
}

/// The alarm ends the process where one text does not end.
TEST(YamlText, EveryTextIsReadOrRefused) {
  std::mt19937 random(1);
  size_t read = 0, refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = Scramble(random);
    alarm(20);
    const std::string why = Refusal(text);
    why == "no error" ? ++read : ++refused;
    EXPECT_TRUE(why == "no error" || why.starts_with("f.yaml:")) << text << "\n" << why;
  }
  alarm(0);
  EXPECT_GT(read, 1000u);
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace gradwire::train
