// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace gradwire::train {

/// Hosts with a link of a given rate between them, as network namespaces of this machine: two are joined by a pair of
/// devices, more by a bridge. Each has the device link0, shaped by tc's tbf both ways, and cubic for what goes over it.
/// They go when this does. What a process left that was killed is taken away by the next one that makes some.
class Hosts {
 public:
  /// Throws Error that says what is needed where this process may not, or the machine cannot, make them.
  Hosts(int count, double bits_per_s);
  ~Hosts();
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;

  static constexpr const char* kDevice = "link0";

  std::string address(int host) const;
  /// What to put in front of a command, a path first, so that it runs there.
  std::vector<std::string> prefix(int host) const;
  /// Bytes that may pass unshaped after a pause: 128 kB, more where a rate needs it.
  static size_t BurstBytes(double bits_per_s);

 private:
  std::string name(int host) const;
  void Make(int count, double bits_per_s);
  void Join(int host, const std::string& peer, const std::string& peer_namespace);
  void Remove();

  std::vector<std::string> made_;  // namespaces
};

/// The path of a program of PATH or of the folders of root's; empty where there is none.
std::string FindProgram(const std::string& name);

}  // namespace gradwire::train
