// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "tests/train/run_folder.h"

namespace gradwire::train {

/// The words of the commands `build/gradwire ...` that pages show in blocks, as a shell would split them. Pages by
/// their path from the top of the tree.
inline std::vector<std::vector<std::string>> CommandsOfPages(const std::vector<std::string>& pages) {
  std::string text;
  for (const std::string& page : pages) text += ReadText(GRADWIRE_SOURCE_DIR "/" + page);
  std::istringstream lines(text);
  std::vector<std::vector<std::string>> commands;
  for (std::string line, more; std::getline(lines, line);) {
    while (line.ends_with('\\') && std::getline(lines, more)) line.replace(line.size() - 1, 1, more);
    if (!line.starts_with("    build/gradwire ")) continue;
    std::vector<std::string> words(1);
    bool quoted = false;
    for (const char c : line.substr(0, line.find("  #")).substr(4)) {
      if (c == '\'')
        quoted = !quoted;
      else if (c == ' ' && !quoted)
        words.emplace_back();
      else
        words.back() += c;
    }
    std::erase(words, "");
    commands.push_back(words);
  }
  return commands;
}

}  // namespace gradwire::train
