// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "train/program.h"

namespace gradwire::train {

/// The program with these words, without torch; `out` and `err`: what it said. Returns the exit code.
inline int RunWords(std::vector<std::string> words, std::string* out, std::string* err) {
  words.insert(words.begin(), "gradwire");
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = RunProgram(static_cast<int>(argv.size()), argv.data(), nullptr);
  *out = testing::internal::GetCapturedStdout();
  *err = testing::internal::GetCapturedStderr();
  return code;
}

}  // namespace gradwire::train
