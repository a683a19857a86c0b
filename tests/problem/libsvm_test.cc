// SPDX-License-Identifier: Apache-2.0
#include "problem/libsvm.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const LabelledRows> Read(const std::string& text, uint32_t first_index = 1) {
  std::istringstream in(text);
  return ReadLibsvm(in, "data.libsvm", first_index);
}

std::string Refusal(const std::string& text) {
  try {
    Read(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Libsvm, RowsColumnsAndLabelsAreRead) {
  const auto rows = Read("+1 1:0.5 3:-2e-1\n-1 2:+1 # a comment\n\n\t1 4:7  \r\n-1\n");
  EXPECT_EQ(rows->columns, 4u);
  EXPECT_THAT(rows->begin, ElementsAre(0, 2, 3, 4, 4));
  EXPECT_THAT(rows->column, ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(rows->value, ElementsAre(0.5, -0.2, 1, 7));
  EXPECT_THAT(rows->label, ElementsAre(1, -1, 1, -1));
}

TEST(Libsvm, TheLargerOfTwoLabelsIsPlusOne) {
  EXPECT_THAT(Read("0 1:1\n1 1:2\n0 1:3\n")->label, ElementsAre(-1, 1, -1));
  EXPECT_THAT(Read("2 1:1\n1 1:2\n")->label, ElementsAre(1, -1));
}

TEST(Libsvm, IndicesMayCountFromZeroWhereTheCallerSaysSo) {
  const auto rows = Read("1 0:1 3:2\n-1 1:1\n", 0);
  EXPECT_EQ(rows->columns, 4u);
  EXPECT_THAT(rows->column, ElementsAre(0, 3, 1));
}

TEST(Libsvm, ErrorsNameFileLineAndWhatWasExpected) {
  EXPECT_THAT(Refusal("+1 1:1\nyes 2:1\n"), HasSubstr("data.libsvm:2: found 'yes' as the label, expected a number"));
  EXPECT_THAT(Refusal("nan 1:1\n"), HasSubstr("data.libsvm:1: found 'nan' as the label"));
  EXPECT_THAT(Refusal("+1 1:1\n\n-1 0:1\n"),
              HasSubstr("data.libsvm:3: found the index 0 in '0:1', expected indices from 1"));
  EXPECT_THAT(Refusal("+1 3:1 2:1\n"),
              HasSubstr("data.libsvm:1: found the index 2 after 3, expected indices that incr"));
  EXPECT_THAT(Refusal("+1 3:1 3:1\n"), HasSubstr("found the index 3 after 3"));
  for (const char* pair : {"1", "1:", ":1", "a:1", "1:b", "-1:1", "1:inf", "1:1x", "1.5:2", "4294967296:1", "1:+-1"})
    EXPECT_THAT(Refusal("-1 1:1\n+1 " + std::string(pair) + "\n"),
                HasSubstr("data.libsvm:2: found '" + std::string(pair) + "', expected index:value"))
        << pair;
  EXPECT_THAT(Refusal("1 1:1\n2 1:1\n3 1:1\n"), HasSubstr("data.libsvm:3: found the label 3 after 1 and 2"));
}

TEST(Libsvm, PackedFilesMarksAndBytesThatAreNoTextAreSaid) {
  EXPECT_THAT(Refusal("\x1f\x8b\x08z"),
              HasSubstr("data.libsvm: is packed; expected text in the LIBSVM format: gunzip"));
  EXPECT_THAT(Refusal("BZh91AY&SY\n"), HasSubstr("bunzip2 it first"));
  EXPECT_EQ(Read("\xef\xbb\xbf+1 1:1\r\n-1 1:2\r\n")->rows(), 2u);
  EXPECT_THAT(Refusal("\x1b[2J 1:1\n"), HasSubstr("found '\\x1b[2J' as the label"));
  EXPECT_THAT(Refusal("+1 \xff:1\n"), HasSubstr("found '\\xff:1', expected index:value"));
  EXPECT_THAT(Refusal("+1 1:1\n-1" + std::string((size_t{16} << 20) + 1, ' ')), HasSubstr(":2: a line of more than"));
}

TEST(Libsvm, FilesWithoutTwoClassesAreRefused) {
  EXPECT_THAT(Refusal(""), HasSubstr("data.libsvm: holds no samples"));
  EXPECT_THAT(Refusal("\n# nothing\n"), HasSubstr("holds no samples"));
  EXPECT_THAT(Refusal("1 1:1\n1 2:1\n"), HasSubstr("every label is 1, expected two classes"));
  EXPECT_THAT(Refusal("1\n-1\n"), HasSubstr("no sample has a feature"));
  EXPECT_THROW(ReadLibsvm("no/such/file"), ConfigError);
  EXPECT_THROW(ReadLibsvm("/tmp"), ConfigError);
}

TEST(Libsvm, TargetsMayBeNumbers) {
  std::istringstream in("0.5 1:1\n-3 1:2\n0.5 1:3\n7 2:1\n");
  EXPECT_THAT(ReadLibsvm(in, "data.libsvm", 1, Targets::kNumbers)->label, ElementsAre(0.5, -3, 0.5, 7));
  std::istringstream same("2 1:1\n2 1:2\n");
  EXPECT_THAT(ReadLibsvm(same, "data.libsvm", 1, Targets::kNumbers)->label, ElementsAre(2, 2));
}

}  // namespace
}  // namespace gradwire
