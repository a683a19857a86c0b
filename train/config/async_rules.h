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

/// The configuration of the network of a run whose vectors travel by links of their own, as those of AsyncPartsOf at a
/// server or a worker, or between neighbours: its DDP sends nothing.
Config WithoutExchange(Config config);

}  // namespace gradwire::train
