// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

namespace gradwire::train {

struct KernelsOptions {
  std::string json = {};               ///< file to write; empty: none
  bool goals = false;                  ///< the exit code is of the goals as well
  std::string isa = {};                ///< empty: the best that this machine runs, or what GRADWIRE_FORCE_ISA names
  std::vector<std::string> only = {};  ///< operators whose spec contains one of these; empty: all
  size_t numel = 11'173'962;           ///< ResNet-18's
  size_t rounds = 21;
};

/// `gradwire bench kernels`: checks every operator's kernels against the scalar ones, then times what it does on one
/// core, and says so on `out` operator by operator. Returns the exit code. Throws ConfigError for an instruction set or
/// operator that is none and for a file that cannot be written.
int BenchKernels(const KernelsOptions& options, std::ostream& out);

}  // namespace gradwire::train
