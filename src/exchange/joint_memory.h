// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "exchange/joint_exchange.h"
#include "message/saved_vector.h"

namespace gradwire {

// As the functions of saved_memory.h, and of the same content: what one form of an exchange saves the other one loads.

/// What that rank would save.
template <typename T>
std::vector<SavedVector<T>> SaveMemory(JointExchange<T>& exchange, uint32_t rank);

/// `memory`: by rank. What all ranks hold alike is taken from the first one.
template <typename T>
void LoadMemory(JointExchange<T>& exchange, const std::vector<std::vector<SavedVector<T>>>& memory);

template <typename T>
std::map<uint32_t, uint64_t> OpeningsOf(JointExchange<T>& exchange);
template <typename T>
void SetOpenings(JointExchange<T>& exchange, const std::map<uint32_t, uint64_t>& openings);

}  // namespace gradwire
