// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gradwire::train {

/// The columns of the terminal that stdout is; 0 where it is none, so that a pipe gets whole lines.
size_t TerminalWidth();

/// Breaks lines at spaces so that they fit in so many columns, or 60 where those are fewer; what goes over is indented
/// by `hang` columns. 0: leaves them as they are.
std::string Wrapped(std::string_view text, size_t width, size_t hang);

}  // namespace gradwire::train
