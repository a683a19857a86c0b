// SPDX-License-Identifier: Apache-2.0
// The loop of all runs, over a driver that counts.
#include "train/loop/run_loop.h"

#include <csignal>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/timeout.h"
#include "collective/thread_collective.h"
#include "tests/train/run_folder.h"

namespace gradwire::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class Counter final : public Driver {
 public:
  void Begin(const Round& round) override { calls.push_back("begin " + std::to_string(round.step)); }
  bool Step(const Round& round) override {
    if (on_step) on_step(round.step);
    lrs.push_back(round.lr);
    ++steps;
    return true;
  }
  void End(const Round& round) override {
    calls.push_back("end " + std::to_string(round.step));
    last_lr = round.lr;
  }
  bool is_finite() const override { return steps < finite_for; }
  void Save(Snapshot& file) override { file.PutValue("steps", steps); }
  void Load(const train::Save& save) override { steps = save.files[0].Value<int64_t>("steps"); }

  int64_t steps = 0, finite_for = 1000;
  std::vector<double> lrs;
  double last_lr = -1;
  Words calls;
  std::function<void(uint64_t)> on_step;
};

class CountMeasurement final : public Measurement {
 public:
  std::optional<Record> Begin(const RunPosition& at) override { return Of("begin", at); }
  Record Interval(const RunPosition& at) override { return Of("interval", at); }
  std::optional<Record> Evaluate(const RunPosition& at) override { return Of("evaluation", at); }
  Record Final(const RunPosition& at, bool finite) override { return Of(finite ? "final" : "diverged", at); }
  void Save(Snapshot& file) override { file.PutValue("measured", int64_t{7}); }
  void Check(const train::Save& save) override { EXPECT_EQ(save.files[0].Value<int64_t>("measured"), 7); }

 private:
  static Record Of(const std::string& what, const RunPosition& at) {
    return {Record::Kind::kInterval, at.step, {}, {what + " " + std::to_string(at.step)}};
  }
};

/// Keeps what it is given.
class KeepSink final : public RecordSink {
 public:
  explicit KeepSink(Words& lines) : lines_(lines) {}
  void Write(const Record& record) override { lines_.insert(lines_.end(), record.lines.begin(), record.lines.end()); }
  void Log(const std::string& line) override { lines_.push_back("said " + line); }

 private:
  Words& lines_;
};

class Loop : public testing::Test {
 protected:
  Loop() {
    config.run.output_dir = folder.path();
    config.train.steps = 6;
    config.log.every_steps = 4;
    config.log.eval_every = 2;
  }

  /// One run; its exit code.
  int Run(Driver& driver) {
    lines.clear();
    const auto one = std::move(MakeThreadCollectives(1, Milliseconds(10))[0]);
    ProcessNotes notes;
    Checkpoints checkpoints(config, *one, notes);
    Report report;
    report.Add(std::make_unique<KeepSink>(lines));
    CountMeasurement measurement;
    const LrSchedule schedule{1, LrDecay::kInverse, {}, 1, /*shift=*/1};  // 1 / (1 + step)
    return RunLoop({config, driver, measurement, report, checkpoints, schedule, /*steps_per_epoch=*/1,
                    config.train.steps, nullptr})
        .Run();
  }

  const TempFolder folder{"run_loop"};
  Config config;
  Words lines;
};

TEST_F(Loop, WritesWhatIsDueAfterAStepAndAtTheEnd) {
  Counter driver;
  EXPECT_EQ(Run(driver), 0);
  EXPECT_THAT(lines, ElementsAre("begin 0", "evaluation 2", "interval 4", "evaluation 4", "interval 6", "evaluation 6",
                                 "final 6"));
  EXPECT_THAT(driver.calls, ElementsAre("begin 0", "end 6"));
}

TEST_F(Loop, AStepHasTheRateOfItsNumberAndTheEndThatOfTheLastStep) {
  Counter driver;
  Run(driver);
  EXPECT_THAT(driver.lrs, ElementsAre(1, 1. / 2, 1. / 3, 1. / 4, 1. / 5, 1. / 6));
  EXPECT_EQ(driver.last_lr, driver.lrs.back());
}

TEST_F(Loop, EndsWhereThePointIsNotFiniteAndSaysSo) {
  Counter driver;
  driver.finite_for = 3;
  EXPECT_EQ(Run(driver), 0);
  EXPECT_THAT(lines, ElementsAre("begin 0", "evaluation 2", "diverged 3"));
  EXPECT_THAT(driver.calls, ElementsAre("begin 0"));
}

TEST_F(Loop, GoesOnFromItsSaveWithTheStepsThatAreLeft) {
  config.checkpoint.every_epochs = 4, config.checkpoint.resume = "auto";
  config.train.steps = 4;
  Counter first;
  EXPECT_EQ(Run(first), 0);
  EXPECT_THAT(lines, testing::Contains(HasSubstr("saved step 4 in")));
  config.train.steps = 6;
  Counter second;
  EXPECT_EQ(Run(second), 0);
  EXPECT_EQ(second.steps, 6);
  EXPECT_THAT(second.lrs, ElementsAre(1. / 5, 1. / 6));
  EXPECT_THAT(second.calls, ElementsAre("begin 4", "end 6"));
}

TEST_F(Loop, ASignalSavesStopsAndIsInTheExitCode) {
  config.checkpoint.resume = "auto";
  Counter driver;
  driver.on_step = [](uint64_t step) {
    if (step == 1) std::raise(SIGTERM);
  };
  EXPECT_EQ(Run(driver), 128 + SIGTERM);
  EXPECT_EQ(driver.steps, 3) << "all ranks have heard of it one step later";
  EXPECT_THAT(lines, testing::Contains(HasSubstr("stopped by SIGTERM at step 3 of 6")));
  EXPECT_THAT(driver.calls, ElementsAre("begin 0"));
}

TEST_F(Loop, WhereNoWorkerIsLeftWhatThereIsIsSaved) {
  config.checkpoint.every_epochs = 100, config.checkpoint.resume = "auto";
  Counter driver;
  driver.on_step = [](uint64_t step) {
    if (step == 2) throw NoWorkers("none is left");
  };
  EXPECT_THROW(Run(driver), NoWorkers);
  EXPECT_THAT(lines, testing::Contains(HasSubstr("saved step 2 in")));
}

TEST_F(Loop, ASaveOfALongerRunIsRefused) {
  config.checkpoint.every_epochs = 6, config.checkpoint.resume = "auto";
  Counter first, second;
  Run(first);
  config.train.steps = 5;
  try {
    Run(second);
    FAIL() << "expected a ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("is of step 6, expected at most the 5 steps of this run"));
  }
}

}  // namespace
}  // namespace gradwire::train
