// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "message/aggregate_rules.h"

namespace gradwire::robust {

// The rules' mathematics. `out` has as many elements as each vector, and is none of them.

/// Of each coordinate's sorted values all but `cut` on each side, averaged in ascending order; cut < senders / 2. Yin
/// et al. 2018, arXiv 1803.01498.
template <typename T>
void TrimmedMean(const Decoded<T>& decoded, size_t cut, std::span<T> out);

/// Each coordinate's middle value, of an even number the mean of the two in the middle. Yin et al. 2018, arXiv
/// 1803.01498.
template <typename T>
void Median(const Decoded<T>& decoded, std::span<T> out);

/// The median of the means of `size` senders each, in the order of the round; the last bucket may have fewer.
/// Karimireddy, He, Jaggi 2022, arXiv 2006.09365, algorithm 1.
template <typename T>
void MedianOfBuckets(const Decoded<T>& decoded, size_t size, std::span<T> out);

/// `steps` times v <- v + mean over i of min(1, tau / ||x_i - v||) (x_i - v), from the centre, which becomes the
/// result. Karimireddy, He, Jaggi 2021, arXiv 2012.10333, section 4.
template <typename T>
void CentredClip(const Decoded<T>& decoded, double tau, size_t steps, std::span<T> out);

/// The mean of the vectors, each scaled down to the median norm where it is longer.
template <typename T>
void NormCap(const Decoded<T>& decoded, std::span<T> out);

}  // namespace gradwire::robust
