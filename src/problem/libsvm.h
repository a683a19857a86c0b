// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace gradwire {

/// Samples and their targets, in compressed sparse rows: row l is the pairs (column[k], value[k]) for begin[l] <= k <
/// begin[l + 1], columns counted from 0 and increasing.
struct LabelledRows {
  std::vector<size_t> begin{0};
  std::vector<uint32_t> column;
  std::vector<double> value;
  std::vector<double> label;  ///< +1 or -1 of two classes; or any numbers
  size_t columns = 0;         ///< d

  size_t rows() const { return label.size(); }
  /// A row with all its columns.
  void Append(const std::vector<double>& features, double target);
};

/// What the first word of a line is: the name of one of two classes, whichever, the larger one of which becomes +1; or
/// the number that is predicted.
enum class Targets { kClasses, kNumbers };

/// Reads the LIBSVM format: a line is a label and pairs index:value, indices increasing; the rest of a line after # and
/// blank lines are skipped. The format counts indices from first_index = 1, some writers from 0. Throws ConfigError
/// "FILE:LINE: ..." for anything else, a packed file and a line of more than 16 MiB among it.
std::shared_ptr<const LabelledRows> ReadLibsvm(const std::string& file, uint32_t first_index = 1,
                                               Targets targets = Targets::kClasses);
/// The same from a stream; `name` stands for the file in errors.
std::shared_ptr<const LabelledRows> ReadLibsvm(std::istream& in, const std::string& name, uint32_t first_index = 1,
                                               Targets targets = Targets::kClasses);

}  // namespace gradwire
