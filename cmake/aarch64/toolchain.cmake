# SPDX-License-Identifier: Apache-2.0
# Debian's cross compiler for aarch64, whose programs qemu runs (the preset "arm"). It reads /usr/include behind the
# target's own headers, so that libraries of headers alone are the host's packages.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)  # GoogleTest asks for one
# A processor of ARMv8.0: an instruction that not every aarch64 has is an error.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu cortex-a53 -L /usr/aarch64-linux-gnu)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})  # packages that the host has for itself only
