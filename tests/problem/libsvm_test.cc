// SPDX-License-Identifier: Apache-2.0
#include "problem/libsvm.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "problem/problem.h"

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

TEST(Libsvm, A9aHasItsPublishedConstants) {  // Gorbunov et al. 2020, arXiv 2010.12292: the first 32000 rows, 20 workers
  const char* folder = std::getenv("GRADWIRE_LIBSVM_DIR");
  const std::string file = std::string(folder == nullptr ? GRADWIRE_SOURCE_DIR "/data" : folder) + "/a9a";
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "a9a is other people's data (census records, 2.3 MB) and not part of gradwire. To run this test:\n"
                 << "  curl --create-dirs -o " << file
                 << " https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/a9a";
  // Both numberings of the columns are in circulation.
  std::shared_ptr<const LabelledRows> all;
  try {
    all = ReadLibsvm(file);
  } catch (const ConfigError&) {
    all = ReadLibsvm(file, 0);
  }
  EXPECT_EQ(all->rows(), 32561u);
  EXPECT_EQ(all->columns, 123u);
  auto rows = std::make_shared<LabelledRows>(*all);
  rows->label.resize(32000);
  rows->begin.resize(32001);
  const Problem problem = LogisticRegression(rows, 20, 0, Regulariser::kRidge);
  EXPECT_NEAR(problem.smoothness - problem.strong_convexity, 1.5722182430111165, 1e-10);
  EXPECT_NEAR(problem.strong_convexity, 1.5722182430111165e-4, 1e-14);
  EXPECT_NEAR(problem.minimiser->value, 0.3249566846906295, 1e-10);
}

}  // namespace
}  // namespace gradwire
