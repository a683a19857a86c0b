// SPDX-License-Identifier: Apache-2.0
// fmt's functions, which all other units find here: compiled from its headers in each of them they were 3.3 of the 3.9
// seconds that a small unit took (g++ 12, fmt 9). A library of fmt would be one more that has to be there at run time.
// CMake compiles this unit with FMT_HEADER_ONLY and without inlining, so that every function that is used here, by
// name or by another one, has a body that the linker can take.
#include <cstdio>
#include <string>

#include <fmt/format.h>

namespace gradwire {
namespace {

[[gnu::used]] std::string UseAll(int whole, float single, double number, long double longer) {
  try {
    fmt::print(stderr, "{}", whole);
    return fmt::format("{:L} {:L} {:L} {}", whole, single, number, longer);
  } catch (const fmt::format_error& error) {
    return fmt::format_error(error).what();
  }
}

}  // namespace
}  // namespace gradwire
