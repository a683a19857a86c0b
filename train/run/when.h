// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "gradwire/pays.h"
#include "train/checkpoint/resume.h"
#include "train/config/config.h"
#include "train/network/network.h"

namespace gradwire::train {

/// What `comm.when` came to in the run that the save is of, where it is a question; empty where it is none, and where
/// the ranks have to measure.
std::optional<WhenAnswer> AnswerIn(const Config& config, const ResumePoint& point);

/// The configuration as a network is to have it: the answer's method and operators in place of the question; without
/// an answer the question itself, which its DDP asks.
Config Answered(Config config, const std::optional<WhenAnswer>& answer);

/// The line about comm.when at the beginning of a run: the answer with its reasons; or, of a run that names its method
/// and begins anew, that dense gradients would be faster, for which the ranks measure half a second. All ranks call it
/// alike. Empty where there is nothing to say.
std::string LineAboutWhen(const Config& config, const World& world, const Network& network, const WhenAnswer& answer,
                          bool begins_anew);

/// Puts the answer into a save of a run with this configuration (by Answered), where it was a question.
void PutAnswer(const Config& config, Snapshot& file);

}  // namespace gradwire::train
