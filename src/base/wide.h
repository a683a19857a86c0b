// SPDX-License-Identifier: Apache-2.0
#pragma once

/// In front of a function that is no template: it is compiled twice, for any x86-64 and for AVX2, and the machine's
/// better one is taken when the program is loaded. Both give the same bits, since AVX2 alone brings no fused
/// multiply-add. Nothing elsewhere, and under sanitizers, which do not run so early.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__) && \
    !defined(__SANITIZE_ADDRESS__)
#define GRADWIRE_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define GRADWIRE_WIDE
#endif
