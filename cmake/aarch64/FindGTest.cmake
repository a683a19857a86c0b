# SPDX-License-Identifier: Apache-2.0
# GoogleTest, built from the sources that Debian's package googletest installs: its libraries are the host's.
find_path(GTest_SOURCES googlemock/CMakeLists.txt PATHS /usr/src/googletest DOC "GoogleTest's sources")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(GTest REQUIRED_VARS GTest_SOURCES REASON_FAILURE_MESSAGE "install googletest")
if(GTest_FOUND AND NOT TARGET GTest::gtest)
  set(INSTALL_GTEST OFF)
  add_subdirectory(${GTest_SOURCES} ${PROJECT_BINARY_DIR}/googletest EXCLUDE_FROM_ALL SYSTEM)
  target_compile_options(gtest PRIVATE -Wno-restrict)  # a false alarm of GCC 12 (bug 105651)
endif()
