// SPDX-License-Identifier: Apache-2.0
#include "train/report/sinks.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "tests/train/run_folder.h"
#include "train/report/report.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;

Record At(int64_t step, bool is_final = false) {
  Record record{
      is_final ? Record::Kind::kFinal : Record::Kind::kInterval, step, {}, {"line of " + std::to_string(step)}};
  if (is_final) record.fields.push_back({"final", true});
  record.fields.push_back({"step", step});
  return record;
}

TEST(JsonlSink, HasEveryKindOfValueInTheRecordsOrder) {
  const TempFolder folder("sinks");
  const std::string file = folder.path() + "/metrics.jsonl";
  Record record;
  record.fields = {{"z", true},
                   {"integer", int64_t{-3}},
                   {"bytes", uint64_t{18446744073709551615u}},
                   {"number", 0.1},
                   {"nan", std::numeric_limits<double>::quiet_NaN()},
                   {"unknown", OrNothing({})},
                   {"text", std::string("a \"b\"")},
                   {"a", Histogram{{2, 5}, {10, 1}}}};
  MakeJsonlSink(file, {})->Write(record);
  EXPECT_EQ(ReadText(file),
            "{\"z\":true,\"integer\":-3,\"bytes\":18446744073709551615,\"number\":0.1,\"nan\":null,\"unknown\":null,"
            "\"text\":\"a \\\"b\\\"\",\"a\":{\"2\":5,\"10\":1}}\n");
}

TEST(JsonlSink, KeepsTheRecordsUpToASaveAndNoEnd) {
  const TempFolder folder("sinks");
  const std::string file = folder.path() + "/metrics.jsonl";
  {
    const auto sink = MakeJsonlSink(file, {});
    for (const int64_t step : {4, 8, 12}) sink->Write(At(step));
    sink->Write(At(8, /*is_final=*/true));
  }
  std::ofstream(file, std::ios::app) << "{\"step\": 3, \"lo";  // torn
  MakeJsonlSink(file, 8)->Write(At(9));
  EXPECT_EQ(ReadText(file), "{\"step\":4}\n{\"step\":8}\n{\"step\":9}\n");
  MakeJsonlSink(file, {});
  EXPECT_EQ(ReadText(file), "") << "another run begins anew";
}

TEST(Report, TellsPeopleTheLinesAndProgramsTheFields) {
  const TempFolder folder("sinks");
  Config config;
  config.run.output_dir = folder.path() + "/out";
  testing::internal::CaptureStdout();
  {
    Report report = ReportOf(config, 0, {});
    report.Log("hello");
    report.Write(At(4));
    report.Write(At(6, /*is_final=*/true));
  }
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "hello\nline of 4\nline of 6\n");
  EXPECT_EQ(ReadText(config.run.output_dir + "/metrics.jsonl"), "{\"step\":4}\n{\"final\":true,\"step\":6}\n");
  EXPECT_EQ(ReadText(config.run.output_dir + "/config.yaml"), ToYaml(config));
  const std::string log = ReadText(config.run.output_dir + "/log.txt");
  for (const char* line : {"hello\n", "line of 4\n", "line of 6\n"}) EXPECT_THAT(log, HasSubstr(line));
}

TEST(Report, OfAnotherRankThanTheFirstIsHeardByNobody) {
  Config config;
  config.run.output_dir = testing::TempDir() + "nobody";
  EXPECT_FALSE(ReportOf(config, 1, {}).is_heard());
  EXPECT_FALSE(std::filesystem::exists(config.run.output_dir));
}

TEST(Report, AFolderThatCannotBeMadeIsNamed) {
  const TempFolder folder("sinks");
  std::ofstream(folder.path() + "/file") << "x";
  Config config;
  config.run.output_dir = folder.path() + "/file/out";
  try {
    ReportOf(config, 0, {});
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(config.run.output_dir + "/metrics.jsonl: check run.output_dir"));
  }
}

}  // namespace
}  // namespace gradwire::train
