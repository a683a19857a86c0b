// SPDX-License-Identifier: Apache-2.0
#include "train/report/text_table.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire::train {

std::string Align(const TextRows& rows, size_t left) {
  std::vector<size_t> width(rows.at(0).size());
  for (const auto& row : rows)
    for (size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c)
      line += (c == 0 ? "" : "  ") +
              (c < left ? fmt::format("{:<{}}", row[c], width[c]) : fmt::format("{:>{}}", row[c], width[c]));
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  if (!(out << text) || !out.flush())
    throw Error(fmt::format("cannot write {}: check the folder and its permissions", path));
}

}  // namespace gradwire::train
