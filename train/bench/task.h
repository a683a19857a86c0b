// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "measure/rooflines.h"

namespace gradwire::train {

/// What is timed of an operator.
struct Task {
  enum class Kind {
    kEncode,    ///< of a gradient alone
    kFeedback,  ///< of a gradient and a residual, which is renewed, in the steady state of a run
    kFirst,     ///< the same with nothing known from a step before
    kDecode,    ///< the mean of `payloads` payloads
  };
  Kind kind = Kind::kEncode;
  size_t payloads = 0;

  bool operator==(const Task&) const = default;
};

inline std::string NameOf(const Task& task) {
  switch (task.kind) {
    case Task::Kind::kEncode: return "encode";
    case Task::Kind::kFeedback: return "encode + feedback";
    case Task::Kind::kFirst: return "first + feedback";
    case Task::Kind::kDecode: return "decode of " + std::to_string(task.payloads);
  }
  return "";
}

/// What no operator can do it faster than: it reads the gradient, updates the residual, or writes the mean.
inline Roofline RooflineOf(const Task& task) {
  switch (task.kind) {
    case Task::Kind::kEncode: return Roofline::kRead;
    case Task::Kind::kFeedback:
    case Task::Kind::kFirst: return Roofline::kUpdate;
    case Task::Kind::kDecode: return Roofline::kWrite;
  }
  return Roofline::kRead;
}

}  // namespace gradwire::train
