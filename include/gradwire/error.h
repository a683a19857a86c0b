// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace gradwire {

/// Base of every exception that gradwire throws. what() says what happened, where, what was expected and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A setting that cannot work: unknown, out of range, or a combination of parts that do not fit.
/// The `gradwire` program exits with code 2 on it, before anything is started.
class ConfigError : public Error {
 public:
  using Error::Error;
  /// An error of the setting `key` ("comm.topology"): what() is "key: message".
  ConfigError(const std::string& key, const std::string& message) : Error(key + ": " + message), key_(key) {}

  /// The setting that is wrong; empty where it is not one alone.
  const std::string& key() const { return key_; }
  /// what() without the setting in front.
  std::string reason() const { return key_.empty() ? what() : what() + key_.size() + 2; }

 private:
  std::string key_;
};

/// A peer died, did not answer in time, or sent bytes that cannot be believed. Carries the rank that is to blame.
class PeerError : public Error {
 public:
  PeerError(int rank, const std::string& what) : Error(what), rank_(rank) {}
  int rank() const { return rank_; }

 private:
  int rank_;
};

/// Bytes that are not a payload of the operator that was asked to decode them. Stays inside the operators, which do not
/// know the sender: Compressor::Decode turns it into a PeerError.
class PayloadError : public Error {
 public:
  using Error::Error;
};

}  // namespace gradwire
