// SPDX-License-Identifier: Apache-2.0
// What a user of gradwire::core alone can do: list the methods.
#include <iostream>

#include <gradwire/method.h>

#if __has_include(<torch/version.h>)
#error "gradwire::core brings torch's headers"
#endif

int main() {
  for (const gradwire::Method& method : gradwire::Methods()) std::cout << method.name << "\n";
}
