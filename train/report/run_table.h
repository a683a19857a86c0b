// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradwire::train {

/// What `gradwire compare` is asked for.
struct CompareOptions {
  std::string x = "bits";  ///< one of XAxes()
  std::string y;           ///< one of YAxes(); empty: the first that all runs have
  std::string plot, csv;   ///< files to write; empty: none
};

/// A quantity that runs can be compared by, and the fields of metrics.jsonl that hold it, the first found wins.
struct Axis {
  std::string_view name;   ///< as on the command line
  std::string_view label;  ///< as on a plot
  std::vector<std::string_view> fields;
  bool rises = false;  ///< y only: whether more is better
};
const std::vector<Axis>& XAxes();
const std::vector<Axis>& YAxes();

/// One run's curve: the records that have both quantities, in the order of x.
struct Curve {
  std::string name;  ///< the run's folder, without what all runs' folders have in common
  std::string method, compressor;
  std::string data;  ///< what it was trained on; empty where its records do not say
  bool diverged = false;
  std::vector<double> x, y;
};

/// A comparison of runs by two quantities.
struct RunTable {
  const Axis* x = nullptr;
  const Axis* y = nullptr;
  std::vector<Curve> curves;
};

/// Reads the runs: output folders, or their metrics.jsonl. Throws ConfigError for an unknown quantity (with the known
/// ones), a run that cannot be read (FILE:LINE for a line that is no JSON object, or longer than 1 MiB, and for more
/// than a million lines), or one without the quantity.
RunTable ReadRuns(const std::vector<std::string>& runs, const CompareOptions& options);

/// The table for the terminal: final y; y at the largest x that all runs reached; first x where y is at most 1e-3, 1e-6
/// and 1e-10 (where less is better). A last line says where runs were trained on different data.
std::string ToText(const RunTable& table);
/// One line a record: run,method,compressor,<x>,<y>.
std::string ToCsv(const RunTable& table);
/// A picture with a logarithmic y axis (a linear one where more is better), axis labels and a legend. Values that have
/// no logarithm are left out.
std::string ToSvg(const RunTable& table);

/// `gradwire compare`: the table, and the files that the options name.
std::string Compare(const std::vector<std::string>& runs, const CompareOptions& options);

}  // namespace gradwire::train
