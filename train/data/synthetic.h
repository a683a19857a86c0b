// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "train/data/dataset.h"

namespace gradwire::train {

/// What a built-in set is like, in place of a set that needs files.
struct SyntheticKind {
  int classes = kNumClasses;  ///< 10, as CIFAR-10; or 100: then also the colour of the ground counts, one of ten
  bool grey = false;          ///< as MNIST: 28 x 28 grey pixels amid black ones, the three channels alike
};

/// A built-in set of CIFAR-10's shape, so that a run without any download still learns something. A class is one of
/// five patterns (horizontal, vertical or diagonal stripes, a grid, rings), fine or coarse, on a patch whose outline,
/// place, size, colours and phase are drawn per image, under pixel noise. A mirrored image keeps its class, as the
/// usual flip needs.
///
/// Image i of a split is a pure function of (seed, split, i); without transcendental functions, it has the same bytes
/// on all machines. Classes take turns, so every split is balanced.
Dataset MakeSyntheticDataset(uint64_t seed = 0, size_t train_size = 10'000, size_t test_size = 2'000,
                             SyntheticKind kind = {});

}  // namespace gradwire::train
