// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "gradwire/collective.h"

namespace gradwire {

/// How this rank joins a group of processes.
struct Membership {
  c10::intrusive_ptr<c10d::Store> store;  ///< reached by all ranks; each group takes a prefix of its own
  int rank = 0;
  int size = 1;
  std::string address;  ///< of the network interface to bind, numeric: "10.0.0.3"
  std::chrono::milliseconds timeout{};
  int store_rank = 0;  ///< that serves the store, to blame where it does not answer; -1: none of them, but an agent
};

/// Connects to all other ranks over Gloo (the one inside libtorch_cpu). Every rank must call it, with the same prefix.
/// Throws PeerError where that does not succeed within the timeout. Makes the process ignore SIGPIPE, unless it has a
/// handler.
c10::intrusive_ptr<c10d::Backend> MakeGlooBackend(const Membership& member, const std::string& prefix);

/// A process group over a Gloo backend of its own, for CPU tensors: what DDP asks for.
c10::intrusive_ptr<c10d::ProcessGroup> MakeGlooGroup(const Membership& member, const std::string& prefix);

/// A Collective over a Gloo backend of its own, so that its operations never mix with those of another group. Messages
/// go by sends and receives, one c10d Work for each peer; all-reduces by Gloo's ring.
std::unique_ptr<Collective> MakeC10dCollective(const Membership& member, const std::string& prefix);

}  // namespace gradwire
