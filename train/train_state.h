// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gradwire/delayed.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/model_round.h"
#include "train/meter.h"
#include "train/network.h"
#include "train/resume.h"

namespace gradwire::train {

/// All that a run's later steps depend on, but for the step: data, random bits and learning rate are functions of it.
/// Between two steps.
Snapshot PackState(const Network& network, const Delayed<float>& delayed, const ModelRounds<float>& rounds,
                   ExchangeThread<float>& exchange, const Progress& progress, uint64_t images);

/// Puts it back, between two steps; `images` are those of the training set. With another number of ranks the model and
/// its momentum are those of rank 0 (in local mode the agreed model), and memory is shared out as Reshard says. Throws
/// ConfigError where the training set is another one, and Error where the save is of another model.
Progress UnpackState(const Save& save, const ExchangeParts& parts, const World& world, Network& network,
                     Delayed<float>& delayed, ModelRounds<float>& rounds, uint64_t images);

}  // namespace gradwire::train
