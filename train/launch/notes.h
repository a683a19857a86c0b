// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace gradwire::train {

/// Where the ranks of a job leave notes for each other. Thread-safe.
class Notes {
 public:
  virtual ~Notes() = default;

  /// Leaves a note; nothing where there is one of that key. Throws PeerError where the place is lost.
  virtual void Leave(const std::string& key, const std::string& text) = 0;
  /// Throws PeerError where the place is lost.
  virtual std::optional<std::string> Read(const std::string& key) = 0;
};

/// Notes of ranks that are threads of this process.
class ProcessNotes final : public Notes {
 public:
  void Leave(const std::string& key, const std::string& text) override {
    const std::lock_guard lock(mutex_);
    notes_.emplace(key, text);
  }
  std::optional<std::string> Read(const std::string& key) override {
    const std::lock_guard lock(mutex_);
    const auto found = notes_.find(key);
    return found == notes_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> notes_;  // guarded by mutex_
};

}  // namespace gradwire::train
