// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "driver/async.h"
#include "driver/simulated_clock.h"
#include "train/config/config.h"

namespace gradwire::train {

/// async.{assign, wait_for, max_staleness}.
AsyncConfig RulesOf(const AsyncRunConfig& config);

/// What brings the model to the workers: async.down.
ExchangeParts DownPartsOf(const Config& config);

/// The links of a network's asynchronous run: of section comm for gradients, of async.down for the model.
AsyncParts AsyncPartsOf(const Config& config);

/// Times of so many workers: async.{delay, speeds}.
DelayModel DelaysOf(const AsyncRunConfig& config, size_t workers);

/// The configuration of the network of an asynchronous run, at the server or a worker: its DDP has one rank and sends
/// nothing, since gradients travel by the links of AsyncPartsOf.
Config OnOneRank(Config config);

}  // namespace gradwire::train
