// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <torch/csrc/distributed/c10d/Store.hpp>

#include "gradwire/c10d_group.h"
#include "gradwire/error.h"

namespace gradwire {

/// The job's store has not answered: whoever serves it is frozen, or cut off.
class StoreSilent : public PeerError {
 public:
  using PeerError::PeerError;
};

/// Calls that are made on a thread of their own, one after another, so that the caller need not wait for ever. One that
/// does not come back is left there, with the thread and with what it holds.
class Calls {
 public:
  Calls();
  ~Calls();
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  /// Returns whether `call` has ended within `limit`; no other one is made until an overdue one is over. What it uses
  /// belongs to it.
  bool Make(std::chrono::milliseconds limit, std::function<void()> call);

 private:
  struct Shared;
  static void Run(const std::shared_ptr<Shared>& shared);
  std::shared_ptr<Shared> shared_;
};

/// A store whose every call ends. Those of torch's TCPStore wait for the server's answer without a timeout, wait() and
/// get() as well once theirs is over: for ever where the process that serves it is frozen.
///
/// Throws StoreSilent, that blames the rank which serves the store, where no answer came within `limit` (for wait and
/// get: beyond their own timeout); PeerError where the connection is gone; else what the inner store throws.
class BoundedStore final : public c10d::Store {
 public:
  /// `member`: whose store it is. `limit`: for an answer.
  BoundedStore(const Membership& member, std::chrono::milliseconds limit);
  /// Over a store that has still to be reached, which `reach` does with a timeout of `limit`.
  BoundedStore(const Membership& member, std::chrono::milliseconds limit,
               const std::function<c10::intrusive_ptr<c10d::Store>()>& reach);

  /// A connection of its own, on which nothing waits behind this one's calls.
  c10::intrusive_ptr<BoundedStore> Clone(std::chrono::milliseconds limit);

  const c10::intrusive_ptr<c10d::Store>& inner() const { return store_; }

  using Store::compareSet;
  using Store::set;
  c10::intrusive_ptr<Store> clone() override;
  void set(const std::string& key, const std::vector<uint8_t>& value) override;
  std::vector<uint8_t> compareSet(const std::string& key, const std::vector<uint8_t>& expected,
                                  const std::vector<uint8_t>& desired) override;
  std::vector<uint8_t> get(const std::string& key) override;
  int64_t add(const std::string& key, int64_t value) override;
  bool deleteKey(const std::string& key) override;
  bool check(const std::vector<std::string>& keys) override;
  int64_t getNumKeys() override;
  void wait(const std::vector<std::string>& keys) override;
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) override;
  void append(const std::string& key, const std::vector<uint8_t>& value) override;
  std::vector<std::vector<uint8_t>> multiGet(const std::vector<std::string>& keys) override;
  void multiSet(const std::vector<std::string>& keys, const std::vector<std::vector<uint8_t>>& values) override;
  bool hasExtendedApi() const override;
  const std::chrono::milliseconds& getTimeout() const noexcept override;
  void setTimeout(const std::chrono::milliseconds& timeout) override;

 private:
  template <typename Call>
  auto Within(std::chrono::milliseconds limit, Call call);
  template <typename Call>
  auto Ask(std::chrono::milliseconds limit, Call call);

  const Membership member_;
  const std::chrono::milliseconds limit_, last_word_;
  Calls calls_;
  c10::intrusive_ptr<c10d::Store> store_;
};

/// `member` with a store whose every call ends within its timeout.
Membership WithBoundedStore(Membership member);

}  // namespace gradwire
