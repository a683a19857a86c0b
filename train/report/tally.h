// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace gradwire::train {

/// Sums over images.
struct Tally {
  double loss = 0;
  double correct = 0;
  double images = 0;

  Tally& operator+=(const Tally& other) {
    loss += other.loss, correct += other.correct, images += other.images;
    return *this;
  }
};

}  // namespace gradwire::train
