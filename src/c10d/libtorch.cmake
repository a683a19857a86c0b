# SPDX-License-Identifier: Apache-2.0
# The imported target gradwire::libtorch: the CPU side of an installed torch, without find_package(Torch), which fails
# on PyPI's CUDA wheels where there is no GPU or no CUDA toolkit. TORCH_DIR (CMake or environment) names the torch
# folder; otherwise it is the one of GRADWIRE_PYTHON or of the python3 on PATH, found without importing it. Part of the
# installed CMake package too.

if(TARGET gradwire::libtorch)
  return()
endif()
if(NOT TORCH_DIR AND DEFINED ENV{TORCH_DIR})
  set(TORCH_DIR "$ENV{TORCH_DIR}")
endif()
if(NOT TORCH_DIR)
  set(python python3)
  if(GRADWIRE_PYTHON)
    set(python ${GRADWIRE_PYTHON})
  endif()
  execute_process(
    COMMAND ${python} -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE TORCH_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
foreach(needed include/ATen/ATen.h lib/libtorch_cpu.so lib/libc10.so)
  if(NOT EXISTS "${TORCH_DIR}/${needed}")
    message(FATAL_ERROR "No libtorch: '${TORCH_DIR}/${needed}' does not exist. Pass -DTORCH_DIR=<site-packages>/torch, "
      "or put a python3 with torch >= 2.11 on PATH. In gradwire's own source, 'make build' installs the pinned torch.")
  endif()
endforeach()
set(TORCH_DIR "${TORCH_DIR}" CACHE PATH "The torch folder of a Python that has torch, or of a libtorch" FORCE)

# A Python's torch says its version in version.py, a plain libtorch in build-version.
foreach(file version.py build-version)
  if(NOT GRADWIRE_TORCH_VERSION AND EXISTS "${TORCH_DIR}/${file}")
    file(STRINGS "${TORCH_DIR}/${file}" line REGEX "^(__version__|[0-9]+\\.)")
    string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" GRADWIRE_TORCH_VERSION "${line}")
  endif()
endforeach()
if(GRADWIRE_TORCH_VERSION VERSION_LESS 2.11)
  message(FATAL_ERROR "torch ${GRADWIRE_TORCH_VERSION} in ${TORCH_DIR} is too old: gradwire needs 2.11 or newer.")
endif()
message(STATUS "libtorch ${GRADWIRE_TORCH_VERSION}: ${TORCH_DIR}")

add_library(gradwire_libc10 SHARED IMPORTED)
set_target_properties(gradwire_libc10 PROPERTIES IMPORTED_LOCATION "${TORCH_DIR}/lib/libc10.so")
add_library(gradwire_libtorch SHARED IMPORTED)
set_target_properties(gradwire_libtorch PROPERTIES
  IMPORTED_LOCATION "${TORCH_DIR}/lib/libtorch_cpu.so"
  INTERFACE_INCLUDE_DIRECTORIES "${TORCH_DIR}/include;${TORCH_DIR}/include/torch/csrc/api/include"
  INTERFACE_COMPILE_FEATURES cxx_std_20
  INTERFACE_LINK_LIBRARIES "gradwire_libc10;Threads::Threads")
add_library(gradwire::libtorch ALIAS gradwire_libtorch)
