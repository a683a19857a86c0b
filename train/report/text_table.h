// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace gradwire::train {

/// Cells of text, a row each; all rows have as many as the first one.
using TextRows = std::vector<std::vector<std::string>>;

/// Columns as wide as their widest cell, the first `left` to the left, the others to the right.
std::string Align(const TextRows& rows, size_t left = 1);

/// Writes a file. Throws Error where it cannot.
void WriteFile(const std::string& path, const std::string& text);

}  // namespace gradwire::train
