// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gradwire/error.h"

namespace gradwire::train {

/// A server has no worker left, and none has come: there will be no step before another run.
class NoWorkers : public Error {
 public:
  using Error::Error;
};

}  // namespace gradwire::train
