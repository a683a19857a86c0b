// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gradwire/exchange.h"
#include "message/saved_vector.h"

namespace gradwire {

// All of an exchange: between two steps.

/// Copies of all vectors of all channels.
template <typename T>
std::vector<SavedVector<T>> SaveMemory(Exchange<T>& exchange);

/// Replaces the memory, which is of links that have sent their first message, unless Exchange::GoOnAt says otherwise.
/// Throws Error, and changes nothing, where `memory` is not what SaveMemory gives for this exchange: a vector is
/// missing, unknown, not finite or not of its parameter's size, or of a channel that is not open.
template <typename T>
void LoadMemory(Exchange<T>& exchange, const std::vector<SavedVector<T>>& memory);

/// In which step the links of each channel opened: with a dense message where they want it. Channels whose links have
/// not sent anything yet are left out.
template <typename T>
std::map<uint32_t, uint64_t> OpeningsOf(Exchange<T>& exchange);
/// The way back, after the memory was loaded: a channel that is left out opens with its next message.
template <typename T>
void SetOpenings(Exchange<T>& exchange, const std::map<uint32_t, uint64_t>& openings);

/// What the exchange's memory belongs to, as lines "key: value": method, links, operators, topology, pieces, seed,
/// dtype, and every parameter's shape and whether it is compressed. Memory means something only where all of them are
/// the same. Not among them, since they may differ: the world size (Reshard), timeouts, the buckets and their cap,
/// start_iter, whether gradients come scaled, and the order of a parameter's elements in memory; but that order is
/// among them where parts of one parameter have different owners.
template <typename T>
std::string MemorySettings(Exchange<T>& exchange);

/// "\n  method: saved with ef, this one has ef21", a line for each difference of two MemorySettings; empty for none.
std::string MemoryDifference(const std::string& saved, const std::string& here);

/// What any rank of a job of another size loads, from the memory of all ranks of the old one. Senders' vectors become
/// the old ranks' mean, so that the virtual iterate x - mean e does not jump. What receivers hold is the same on all
/// ranks, or, where pieces have owners, lies with them: then the sum, of which LoadMemory keeps what the rank owns, so
/// that another change sums it right. Throws Error where the old ranks' vectors are not alike.
template <typename T>
std::vector<SavedVector<T>> Reshard(const std::vector<std::vector<SavedVector<T>>>& old_ranks,
                                    std::string_view topology);

}  // namespace gradwire
