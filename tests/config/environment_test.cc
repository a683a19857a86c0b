// SPDX-License-Identifier: Apache-2.0
#include "config/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "config/comm_keys.h"
#include "gradwire/error.h"
#include "train/program.h"

namespace gradwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string ErrorOf(const std::vector<std::string>& names, Reader reader = Reader::kBackend) {
  try {
    CheckVariables(names, reader);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(Environment, EverySettingAndOwnNameIsKnownAndNothingElse) {
  std::vector<std::string> names{"PATH", "MY_GRADWIRE_X"};
  for (const Variable& variable : Variables()) {
    EXPECT_NE(variable.meaning, "") << variable.name;
    names.push_back(variable.name);
  }
  EXPECT_GE(names.size(), CommKeys().size());
  EXPECT_EQ(ErrorOf(names), "");
  EXPECT_THAT(ErrorOf({"GRADWIRE_ALGORITHM"}),
              AllOf(HasSubstr("GRADWIRE_ALGORITHM is no setting"), HasSubstr("GRADWIRE_METHOD")));
  EXPECT_THAT(ErrorOf({"GRADWIRE_COMPRESOR"}), HasSubstr("did you mean GRADWIRE_COMPRESSOR?"));
  EXPECT_THAT(ErrorOf({"GRADWIRE_method"}), HasSubstr("did you mean GRADWIRE_METHOD?"));
  EXPECT_THAT(ErrorOf({"GRADWIRE_"}), HasSubstr("is no setting"));
  EXPECT_THAT(ErrorOf({"GRADWIRE_BUCKET_CAP_MB"}), HasSubstr("as an argument of DistributedDataParallel"));
}

TEST(Environment, TheProgramReadsNoSettingsThereAndSaysWhereTheyGo) {
  EXPECT_EQ(ErrorOf({"GRADWIRE_BUILD_DIR", "GRADWIRE_PYTHON"}, Reader::kNobody), "");
  EXPECT_THAT(ErrorOf({"GRADWIRE_METHOD"}, Reader::kNobody), HasSubstr("expected comm.method in the file"));
  EXPECT_THAT(ErrorOf({"GRADWIRE_SEED"}, Reader::kNobody), HasSubstr("expected run.seed in the file"));
  const char* argv[] = {"gradwire", "train", "no_such.yaml", nullptr};
  setenv("GRADWIRE_METHOD", "ef21", 1);
  testing::internal::CaptureStderr();
  EXPECT_EQ(train::RunProgram(3, argv, nullptr), 2);
  unsetenv("GRADWIRE_METHOD");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("environment: GRADWIRE_METHOD"));
}

TEST(Environment, AnInstructionSetThatIsNoneIsItsOwnFault) {
  for (const auto& [value, words] : {std::pair{"nonsense", "no such instruction set"}, {"", "is empty"}}) {
    setenv("GRADWIRE_FORCE_ISA", value, /*overwrite=*/1);
    try {
      CheckVariables({"GRADWIRE_FORCE_ISA"}, Reader::kNobody);
      ADD_FAILURE() << "'" << value << "' was taken";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(),
                  testing::AllOf(testing::StartsWith("environment: GRADWIRE_FORCE_ISA"), testing::HasSubstr(words)));
    }
    unsetenv("GRADWIRE_FORCE_ISA");
  }
}

TEST(Environment, EveryCommandRefusesAnInstructionSetThatIsNone) {
  setenv("GRADWIRE_FORCE_ISA", "mmx", /*overwrite=*/1);
  for (const std::vector<const char*>& words :
       std::vector<std::vector<const char*>>{{"list"},
                                             {"keys"},
                                             {"train", "no_such.yaml"},
                                             {"sweep", "no_such.yaml", "run.seed=1,2"},
                                             {"compare", "no_such_run"},
                                             {"bench", "kernels"},
                                             {"bench", "exchange"}}) {
    std::vector<const char*> argv = {"gradwire"};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.push_back(nullptr);
    testing::internal::CaptureStderr();
    EXPECT_EQ(train::RunProgram(static_cast<int>(words.size()) + 1, argv.data(), nullptr), 2) << words[0];
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("GRADWIRE_FORCE_ISA=mmx: no such instruction set"))
        << words[0];
  }
  unsetenv("GRADWIRE_FORCE_ISA");
}

}  // namespace
}  // namespace gradwire
