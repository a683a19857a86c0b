# SPDX-License-Identifier: Apache-2.0
# fmt's headers: its CMake package is about the host's library.
find_path(fmt_INCLUDE_DIR fmt/format.h)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(fmt REQUIRED_VARS fmt_INCLUDE_DIR REASON_FAILURE_MESSAGE "install libfmt-dev")
if(fmt_FOUND AND NOT TARGET fmt::fmt-header-only)
  add_library(fmt::fmt-header-only INTERFACE IMPORTED)
  target_include_directories(fmt::fmt-header-only INTERFACE ${fmt_INCLUDE_DIR})
  target_compile_definitions(fmt::fmt-header-only INTERFACE FMT_HEADER_ONLY)
endif()
