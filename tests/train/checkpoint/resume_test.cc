// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/resume.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/ranks.h"
#include "train/checkpoint/saves.h"
#include "train/config/settings.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;
using gradwire::testing::RunRanks;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Resume : public ::testing::Test {
 protected:
  Resume() {
    config_.run.output_dir = ::testing::TempDir() + "resume." + std::to_string(getpid());
    config_.checkpoint.every_epochs = 1;
    config_.checkpoint.resume = "auto";
  }
  ~Resume() override { fs::remove_all(config_.run.output_dir); }

  std::string Folder(uint64_t step) const { return StepFolder(SavesFolder(config_), step); }

  void SaveRank(uint64_t step, int rank, int size, uint64_t job = 1) const {
    fs::create_directories(Folder(step));
    Snapshot file;
    PutLabel(file, {job, step, rank, size, SettingsText(config_)});
    file.Write(RankFile(Folder(step), rank));
  }
  void SaveAll(uint64_t step, int size) const {
    for (int rank = 0; rank < size; ++rank) SaveRank(step, rank, size);
  }
  static void Damage(const std::string& path) { std::ofstream(path, std::ios::app) << "x"; }

  /// Of all ranks alike.
  ResumePoint Choose(int size) {
    std::mutex mutex;
    std::vector<ResumePoint> seen(static_cast<size_t>(size));
    RunRanks(size, [&](Collective& collective) {
      ResumePoint mine = ChooseResumePoint(config_, collective);
      const std::lock_guard lock(mutex);
      seen[static_cast<size_t>(collective.rank())] = std::move(mine);
    });
    for (const ResumePoint& other : seen) {
      EXPECT_EQ(other.save.has_value(), seen[0].save.has_value());
      EXPECT_EQ(other.notes, seen[0].notes);
      EXPECT_EQ(other.save ? other.save->step : 0, seen[0].save ? seen[0].save->step : 0);
    }
    return std::move(seen.back());
  }

  std::string Refusal(int size) {
    try {
      Choose(size);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  Config config_;
};

TEST_F(Resume, WithoutSavesAutoBeginsFromTheStart) {
  const ResumePoint point = Choose(2);
  EXPECT_FALSE(point.save);
  EXPECT_THAT(point.notes, ElementsAre(HasSubstr("no save to go on from")));
}

TEST_F(Resume, NewestCompleteSaveIsTaken) {
  SaveAll(8, 2), SaveAll(16, 2), SaveAll(100, 2);
  const ResumePoint point = Choose(2);
  EXPECT_EQ(point.save->step, 100u);
  EXPECT_TRUE(point.save->is_own);
  EXPECT_FALSE(point.save->other_world);
  EXPECT_THAT(point.notes, ElementsAre());
  EXPECT_THAT(point.save->files[0].path(), HasSubstr("step00000100/rank1"));
}

TEST_F(Resume, DamageOnAnyRankIsReportedByAllAndPassedOver) {
  for (const int rank : {0, 1}) {
    SaveAll(8, 2), SaveAll(16, 2);
    Damage(RankFile(Folder(16), rank));
    const ResumePoint point = Choose(2);
    EXPECT_EQ(point.save->step, 8u);
    EXPECT_THAT(point.notes, ElementsAre(HasSubstr("step00000016 is passed over: rank " + std::to_string(rank) + ": " +
                                                   RankFile(Folder(16), rank) + ": too long")));
  }
}

TEST_F(Resume, UnfinishedSaveIsPassedOver) {
  SaveAll(8, 3), SaveRank(16, 0, 3), SaveRank(16, 2, 3);
  const ResumePoint point = Choose(3);
  EXPECT_EQ(point.save->step, 8u);
  EXPECT_THAT(point.notes, ElementsAre(HasSubstr("rank 1: " + RankFile(Folder(16), 1) + ": cannot be read")));
}

TEST_F(Resume, FilesOfTwoRunsAreNoSave) {
  SaveAll(8, 2), SaveRank(16, 0, 2, 1), SaveRank(16, 1, 2, 2);
  const ResumePoint point = Choose(2);
  EXPECT_EQ(point.save->step, 8u);
  EXPECT_THAT(point.notes, ElementsAre(HasSubstr("of different saves")));
}

TEST_F(Resume, FileOfAnotherRankOrStepIsNoSave) {
  SaveAll(8, 2), SaveAll(16, 2);
  fs::copy_file(RankFile(Folder(16), 0), RankFile(Folder(16), 1), fs::copy_options::overwrite_existing);
  fs::copy(Folder(8), Folder(24), fs::copy_options::recursive);
  const ResumePoint point = Choose(2);
  EXPECT_EQ(point.save->step, 8u);
  EXPECT_THAT(point.notes, ElementsAre(HasSubstr("its files are of step 8"), HasSubstr("was written by rank 0")));
}

TEST_F(Resume, AnotherWorldSizeReadsAllOldRanks) {
  SaveAll(8, 2);
  for (const int size : {1, 3}) {
    const ResumePoint point = Choose(size);
    EXPECT_TRUE(point.save->other_world);
    ASSERT_EQ(point.save->files.size(), 2u);
    EXPECT_THAT(point.save->files[1].path(), HasSubstr("rank1"));
  }
  fs::remove(RankFile(Folder(8), 1));
  EXPECT_THAT(Choose(3).notes, ElementsAre(HasSubstr("rank1: cannot be read"), HasSubstr("from the start")));
}

TEST_F(Resume, OtherSettingsAreRefusedWithTheDifference) {
  SaveAll(8, 2);
  config_.train.epochs = 7, config_.log.every_steps = 1, config_.run.nproc = 5;  // these may differ
  EXPECT_EQ(Choose(2).save->step, 8u);
  config_.model.name = "resnet20";
  EXPECT_THAT(Refusal(2), HasSubstr("model.name: saved with resnet18, this run has resnet20"));
}

TEST_F(Resume, KeysYoungerThanTheSaveHadTheirDefault) {
  EXPECT_EQ(SettingsDifference("run.seed: 1\n", "run.seed: 1\nmodel.name: resnet18\n"), "");
  EXPECT_EQ(SettingsDifference("run.seed: 1\n", "run.seed: 1\nmodel.name: resnet8\n"),
            "\n  model.name: saved with resnet18, this run has resnet8");
}

TEST_F(Resume, FolderIsTakenExactlyOrRefused) {
  SaveAll(8, 2), SaveAll(16, 2);
  const Config own = config_;
  config_.checkpoint.resume = own.run.output_dir + "/checkpoints/step00000016";
  EXPECT_TRUE(Choose(2).save->is_own);
  config_.checkpoint.resume = own.run.output_dir + "/checkpoints/step00000008";
  EXPECT_THAT(Refusal(2), HasSubstr("holds saves of another run, up to step 16"));
  config_.run.output_dir += ".other";
  EXPECT_EQ(Choose(2).save->step, 8u);
  EXPECT_FALSE(Choose(2).save->is_own);
  Damage(config_.checkpoint.resume + "/rank1");
  EXPECT_THAT(Refusal(2), HasSubstr("too long"));
  config_.checkpoint.resume = "/no/such/folder";
  EXPECT_THAT(Refusal(2), HasSubstr("checkpoint.resume: found /no/such/folder, expected never, auto or the folder"));
  config_.run.output_dir = own.run.output_dir;
}

TEST_F(Resume, NewRunDoesNotMixItsSavesWithOldOnes) {
  SaveAll(8, 2);
  config_.checkpoint.resume = "never";
  EXPECT_THAT(Refusal(2), HasSubstr("checkpoint.resume: found never, and "));
  config_.checkpoint.every_epochs = 0;
  EXPECT_FALSE(Choose(2).save);
}

TEST_F(Resume, RanksPruneTheSameFolderAtTheSameTime) {
  for (int k = 0; k < 300; ++k) {
    fs::create_directories(Folder(5));
    for (int rank = 0; rank < 3; ++rank) std::ofstream(RankFile(Folder(5), rank)) << "a save";
    RunRanks(3, [&](Collective& collective) {
      Prune(SavesFolder(config_), {.begin = 0, .written = {}}, 1, collective.rank());
    });
    ASSERT_FALSE(fs::exists(Folder(5))) << k;
  }
}

TEST_F(Resume, PruneKeepsTheNewestOwnSaves) {
  for (const uint64_t step : {8, 16, 24, 32, 99}) SaveAll(step, 2);
  const OwnSaves own{24, {32}};  // 99 was passed over
  Prune(SavesFolder(config_), own, 2, 1);
  EXPECT_FALSE(fs::exists(RankFile(Folder(8), 1)));
  EXPECT_TRUE(fs::exists(RankFile(Folder(8), 0)));
  EXPECT_TRUE(fs::exists(RankFile(Folder(24), 1)));
  Prune(SavesFolder(config_), own, 2, 0);
  EXPECT_THAT(StepsIn(SavesFolder(config_)), ElementsAre(24, 32));
}

}  // namespace
}  // namespace gradwire::train
