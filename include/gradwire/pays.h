// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "gradwire/comm_config.h"

namespace gradwire {

/// Whether `comm.when` says pays: so it does where it is auto and neither a method nor an operator is named, without
/// noise, of means.
bool PaysIsAsked(const CommConfig& config);

/// The same settings with `method` and `when` as they run in place of auto: always, or pays, which is still a question.
CommConfig Settled(CommConfig config);

/// What is run where compression would not pay: method none, with the time-out, the threads and the buckets of
/// `config`.
CommConfig DenseOf(const CommConfig& config);

/// What `comm.when` came to in a job; the same on all its ranks.
struct WhenAnswer {
  bool is_asked = false;   ///< whether it was a question (pays); else it is always
  bool compresses = true;  ///< no: dense, as with method none
  std::string reason;      ///< a sentence with the numbers; empty where nothing was measured

  /// "always", "compress" or "dense".
  std::string word() const { return !is_asked ? "always" : compresses ? "compress" : "dense"; }
};

}  // namespace gradwire
