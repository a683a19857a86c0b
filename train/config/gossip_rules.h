// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "gossip/gossip_rounds.h"
#include "gossip/mixing.h"
#include "train/config/config.h"

namespace gradwire::train {

/// Of what saves hold of neighbours. 4: who they are, and their weights.
inline constexpr uint32_t kGossipStateVersion = 4;

/// The section gossip, as what a run of neighbours is made of, convex or of a network. `config`: as LoadConfig returns
/// it.
GossipParts GossipPartsOf(const Config& config);

/// Whether all tell x^0 and v^0 as they are before the first round.
bool OpensDense(const Config& config);

/// The link of their messages. Throws ConfigError with the key's place.
ExchangeParts GossipLinkOf(const Config& config);

/// Who are neighbours. Throws ConfigError with the key's place.
Mixing MixingOf(const Config& config, size_t workers);

/// "gossip: graph ring: 4 edges, spectral gap 0.5; ...", for people.
std::string GossipText(const Config& config, const Mixing& mixing);

/// A line about gossip.evaluate and the spread.
std::string AboutRecords(const Config& config);

/// What records are about: "the average of all models" or "rank 0's model".
const char* EvaluatedText(const Config& config);

}  // namespace gradwire::train
