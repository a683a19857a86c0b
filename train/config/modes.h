// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gradwire/abilities.h"
#include "train/config/config.h"

namespace gradwire::train {

/// What the training of a network gives a method beside one gradient of each mini-batch.
inline constexpr Abilities kNetworkGives{.same_batch = true, .anchors = true};

/// Who makes a mode's steps: a switch over it is what finds a driver, so that a new one is not forgotten.
enum class DriverKind { kNone, kRounds, kServer, kNewton, kGossip };

/// What a value of train.mode means. Nobody else compares its name.
struct Mode {
  std::string_view name;
  std::string_view section = {};  ///< keys that this mode alone reads: "local."; empty: none
  DriverKind driver = DriverKind::kNone;
  bool has_server = false;      ///< a server applies gradients one by one as they come, and workers come and go
  bool is_local = false;        ///< workers step by themselves and agree on the model now and then
  bool has_neighbours = false;  ///< workers speak to their neighbours alone, and there is no mean of all
  /// All workers step along one mean gradient of one point: what theorems' step sizes, a proximal step, delays and
  /// changes of a gradient from one point to the next one are about.
  bool has_gradient_rounds = false;
  /// A server steps by the Hessians of all samples, with no step size and no estimator: for convex objectives.
  bool has_hessians = false;
};

/// Their names, in the table's order.
std::vector<std::string> ModeNames();
const Mode& ModeOf(const Config& config);
/// Whether the mode of that name has a server. Another process may have sent the name: false where it is no mode's.
bool HasServer(std::string_view name);
/// The mode that alone reads the keys of a section.
const Mode& ReaderOf(std::string_view section);

/// Whether a step's gradients may go dense in place of compressed, so that comm.when is a question: those of a network
/// that all ranks exchange after every batch.
bool CanStayDense(const Config& config);

/// The name of what the run does: gossip.method, or comm.method.
std::string_view MethodOf(const Config& config);

/// comm.compressor, or identity where the method's messages are vectors as they are.
std::string_view CompressorOf(const Config& config);

/// The section local, of a mode that reads it; else an agreement after every step, which is the gradient round.
LocalConfig LocalOf(const Config& config);

}  // namespace gradwire::train
