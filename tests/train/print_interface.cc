// SPDX-License-Identifier: Apache-2.0
// Prints the interface and address that a rank would take in this environment. For network_namespaces_test.sh.
#include <cstdio>

#include "base/network_interface.h"
#include "gradwire/error.h"

int main() try {
  const auto env = gradwire::RankFromEnv();
  if (!env) return std::fputs("RANK is not set\n", stderr), 1;
  const auto local = gradwire::FindLocalAddress(*env);
  std::printf("%s %s\n", local.interface.c_str(), local.address.c_str());
} catch (const gradwire::ConfigError& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
