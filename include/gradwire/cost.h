// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gradwire/exchange.h"

namespace gradwire {

/// d, the elements of all parameters.
uint64_t Numel(const std::vector<Parameter>& parameters);

/// Bytes that a rank sends in one step of a dense ring all-reduce of float32 gradients: 2 (n-1)/n x 4 d.
uint64_t DenseRingBytes(const std::vector<Parameter>& parameters, int world_size);

/// Bytes that a rank sends in a step that is not dense, all parameters in one float32 bucket: asked of the plan of its
/// messages. An upper bound where payloads vary.
uint64_t SentBytes(const ExchangeParts& parts, const std::vector<Parameter>& parameters, int world_size, int rank = 0);

/// What the receivers' aggregate bears of so many senders, for people; empty for the mean.
std::optional<std::string> AggregateNotice(const ExchangeParts& parts, size_t senders);

/// Of methods that send factors of matrices, a sentence: how many matrices have factors, and which travel dense because
/// factors would be no gain. Empty for others.
std::optional<std::string> FactorNotice(const ExchangeParts& parts, const std::vector<Parameter>& parameters);

/// A sentence for the user where the parts send no less than dense gradients would; empty where they pay.
std::optional<std::string> CostWarning(const ExchangeParts& parts, const std::vector<Parameter>& parameters,
                                       int world_size);

}  // namespace gradwire
