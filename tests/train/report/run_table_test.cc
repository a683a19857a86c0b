// SPDX-License-Identifier: Apache-2.0
#include "train/report/run_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "tests/train/run_folder.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Two runs as the program writes them: a fast one with large messages, and a slow one.
class RunTableTest : public testing::Test {
 protected:
  void SetUp() override {
    Write("fast",
          R"({"step":0,"wall_s":0.0,"f_gap":1.0,"grad_norm":2.0,"bits_up":0,"method":"none","compressor":"identity"}
{"step":10,"wall_s":0.5,"f_gap":1e-4,"grad_norm":1e-2,"bits_up":1000,"method":"none","compressor":"identity"}
{"step":20,"wall_s":1.0,"f_gap":1e-7,"grad_norm":1e-3,"bits_up":2000,"method":"none","compressor":"identity"}
{"final":true,"step":20,"wall_s":1.0,"f_gap":1e-7,"grad_norm":1e-3,"bits_up":2000}
)");
    Write("slow,1",
          R"({"step":0,"wall_s":0.0,"f_gap":1.0,"grad_norm":2.0,"bits_up":0,"method":"ef","compressor":"topk:1"}
{"step":10,"wall_s":0.1,"f_gap":0.5,"grad_norm":1.0,"bits_up":100,"method":"ef","compressor":"topk:1"}
{"step":20,"wall_s":0.2,"f_gap":0.25,"grad_norm":0.5,"bits_up":200,"method":"ef","compressor":"topk:1"}
)");
  }

  void Write(const std::string& name, const std::string& metrics) {
    std::filesystem::create_directories(Folder(name));
    std::ofstream(Folder(name) + "/metrics.jsonl") << metrics;
  }
  std::string Folder(const std::string& name) const { return folder_.path() + "/" + name; }
  std::vector<std::string> Both() const { return {Folder("fast"), Folder("slow,1")}; }

  std::string Refusal(const std::vector<std::string>& runs, const CompareOptions& options = {}) {
    try {
      ReadRuns(runs, options);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  }

  TempFolder folder_{"runs"};
};

TEST_F(RunTableTest, TextHasFinalAndEqualAndFirstValues) {
  EXPECT_EQ(ToText(ReadRuns(Both(), {})),
            "run     final f_gap  at 200 bits  final bits  bits to 1e-03  bits to 1e-06  bits to 1e-10\n"
            "fast          1e-07            1        2000           1000           2000              -\n"
            "slow,1         0.25         0.25         200              -              -              -\n");
}

TEST_F(RunTableTest, BitsOfPapersAreAnAxis) {
  Write("counted", R"({"step":1,"bits_up":5,"bits_paper":70,"f_gap":1}
{"step":2,"bits_up":10,"bits_paper":140,"f_gap":0.5})");
  const RunTable table = ReadRuns({Folder("counted")}, {.x = "paper_bits"});
  EXPECT_EQ(table.curves[0].x, (std::vector<double>{70, 140}));
  EXPECT_THAT(Refusal(Both(), {.x = "paper_bits"}), HasSubstr("no record has both paper_bits and"));
}

TEST_F(RunTableTest, RunsOfDifferentDataAreSaidToBe) {
  Write("synthetic", R"({"step":1,"bits_up":1,"f_gap":1,"data":"synthetic images"})");
  Write("real", R"({"step":1,"bits_up":1,"f_gap":1,"data":"CIFAR-10"})");
  EXPECT_THAT(ToText(ReadRuns({Folder("synthetic"), Folder("real")}, {})),
              HasSubstr("note: these runs are of different data: synthetic images; CIFAR-10\n"));
  EXPECT_THAT(ToText(ReadRuns({Folder("real"), Folder("real"), Folder("fast")}, {})), Not(HasSubstr("note:")));
}

TEST_F(RunTableTest, LinesOfAnyDepthAreReadOrRefused) {
  for (const std::string& line :
       {std::string(500'000, '['), "{\"a\":" + std::string(400'000, '[') + std::string(400'000, ']') + "}"}) {
    Write("deep", line);
    EXPECT_NE(Refusal({Folder("deep")}), "no error");
  }
  Write("long", std::string((1 << 20) + 1, ' ') + "{}");
  EXPECT_THAT(Refusal({Folder("long")}), HasSubstr("metrics.jsonl:1: found '"));
  Write("binary", "\x1b[2J\xff");
  EXPECT_THAT(Refusal({Folder("binary")}), HasSubstr("found '\\x1b[2J\\xff', expected a JSON object"));
}

TEST_F(RunTableTest, CsvHasOneLineARecord) {
  CompareOptions options;
  options.x = "seconds", options.y = "grad_norm";
  EXPECT_EQ(ToCsv(ReadRuns(Both(), options)),
            "run,method,compressor,seconds,grad_norm\n"
            "fast,none,identity,0,2\nfast,none,identity,0.5,0.01\nfast,none,identity,1,0.001\n"
            "\"slow,1\",ef,topk:1,0,2\n\"slow,1\",ef,topk:1,0.1,1\n\"slow,1\",ef,topk:1,0.2,0.5\n");
}

TEST_F(RunTableTest, PictureHasACurveAndALegendForEveryRun) {
  const std::string svg = ToSvg(ReadRuns(Both(), {}));
  for (const char* text : {"<svg", ">fast</text>", ">slow,1</text>", ">f(x) - f*</text>", ">bits sent by a rank</text>",
                           ">1e-7</text>", ">1e0</text>", "</svg>"})
    EXPECT_THAT(svg, HasSubstr(text));
  size_t curves = 0;
  for (size_t at = svg.find("<polyline"); at != std::string::npos; at = svg.find("<polyline", at + 1)) ++curves;
  EXPECT_EQ(curves, 2u);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST_F(RunTableTest, PictureGivesLargeNumbersAUnit) {
  Write("large", R"({"step":0,"bits_up":0,"f_gap":1.0}
{"step":1,"bits_up":2000000,"f_gap":0.1}
)");
  const std::string svg = ToSvg(ReadRuns({Folder("large")}, {}));
  EXPECT_THAT(svg, HasSubstr(">bits sent by a rank, in units of 1e6</text>"));
  EXPECT_THAT(svg, HasSubstr(">1.5</text>"));
}

TEST_F(RunTableTest, PictureLeavesOutWhatHasNoLogarithmAndEscapesNames) {
  Write("a<b&c", R"({"step":0,"bits_up":0,"f_gap":1.0}
{"step":1,"bits_up":8,"f_gap":0.0}
{"step":2,"bits_up":16,"f_gap":-1e-17}
)");
  const std::string svg = ToSvg(ReadRuns({Folder("a<b&c")}, {}));
  EXPECT_THAT(svg, HasSubstr("a&lt;b&amp;c"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST_F(RunTableTest, ADivergedRunIsCalledThatAndLeavesThePictureToTheOthers) {
  Write("lost", R"({"step":0,"bits_up":0,"f_gap":1.0}
{"step":10,"bits_up":100,"f_gap":1e250}
{"final":true,"diverged":true,"step":11,"bits_up":110,"f_gap":null}
)");
  const RunTable table = ReadRuns({Folder("fast"), Folder("lost")}, {});
  EXPECT_EQ(ToText(table),
            "run   final f_gap  at 2000 bits  final bits  bits to 1e-03  bits to 1e-06  bits to 1e-10\n"
            "fast        1e-07         1e-07        2000           1000           2000              -\n"
            "lost     diverged        1e+250         100              -              -              -\n");
  const std::string svg = ToSvg(table);
  EXPECT_THAT(svg, HasSubstr(">1e2</text>"));  // a hundred times the highest start
  EXPECT_THAT(svg, Not(HasSubstr(">1e3</text>")));
  EXPECT_THAT(svg, HasSubstr("clip-path=\"url(#axes)\""));
}

TEST_F(RunTableTest, NetworkRunsCompareByLossAndAccuracy) {
  Write("net", R"({"step":5,"epoch":0.5,"wall_s":1.0,"loss":2.0,"bytes_total":100,"method":"ef","compressor":"sign"}
{"eval":true,"step":10,"epoch":1.0,"test_loss":1.5,"test_acc":0.4,"bytes_total":200,"wall_s":2.0}
{"step":15,"epoch":1.5,"wall_s":3.0,"loss":1.0,"bytes_total":300,"method":"ef","compressor":"sign"}
{"eval":true,"step":20,"epoch":2.0,"test_loss":1.2,"test_acc":0.6,"bytes_total":400,"wall_s":4.0}
{"final":true,"step":20,"epoch":2.0,"test_loss":1.2,"test_acc":0.6,"bytes_total":400,"wall_s":4.0}
)");
  const RunTable loss = ReadRuns({Folder("net")}, {});
  EXPECT_EQ(loss.y->name, "loss");
  EXPECT_EQ(loss.curves[0].x, (std::vector<double>{800, 2400}));  // bits, not bytes
  CompareOptions options;
  options.x = "passes", options.y = "test_acc";
  const RunTable accuracy = ReadRuns({Folder("net")}, options);
  EXPECT_EQ(accuracy.curves[0].y, (std::vector<double>{0.4, 0.6}));
  EXPECT_THAT(ToText(accuracy), Not(HasSubstr("1e-03")));
  EXPECT_THAT(ToSvg(accuracy), HasSubstr(">0.5</text>"));
}

TEST_F(RunTableTest, AMetricsFileOrASlashBehindTheFolderIsFine) {
  const RunTable table = ReadRuns({Folder("fast") + "/metrics.jsonl", Folder("slow,1") + "/"}, {});
  EXPECT_EQ(table.curves[0].name, "fast");
  EXPECT_EQ(table.curves[1].name, "slow,1");
}

TEST_F(RunTableTest, AFailedRunIsNamed) {
  EXPECT_THAT(Refusal({}), HasSubstr("expected the output folders"));
  EXPECT_THAT(Refusal({Folder("none")}), HasSubstr("none/metrics.jsonl: cannot be read"));
  Write("cut", "{\"step\":0,\"bits_up\":0,\"f_gap\":1}\n{\"step\":");
  EXPECT_THAT(Refusal({Folder("cut")}), HasSubstr("cut/metrics.jsonl:2: found '{\"step\":', expected a JSON object"));
  CompareOptions options;
  options.x = "miles";
  EXPECT_THAT(Refusal(Both(), options),
              HasSubstr("--x: 'miles' is unknown; expected one of bits, payload_bits, steps"));
  options.x = "bits", options.y = "test_acc";
  EXPECT_THAT(Refusal(Both(), options), HasSubstr("fast: no record has both bits and test_acc"));
}

TEST_F(RunTableTest, FilesAreWritten) {
  CompareOptions options;
  options.plot = Folder("p.svg"), options.csv = Folder("t.csv");
  EXPECT_THAT(Compare(Both(), options), HasSubstr("final f_gap"));
  EXPECT_THAT(ReadText(options.plot), HasSubstr("</svg>"));
  EXPECT_THAT(ReadText(options.csv), HasSubstr("run,method"));
  options.csv = Folder("no/such/folder.csv");
  EXPECT_THROW(Compare(Both(), options), Error);
}

}  // namespace
}  // namespace gradwire::train
