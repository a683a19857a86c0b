// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "train/config.h"

namespace YAML {
class Node;
}

namespace gradwire::train {

/// A row of the table of keys.
struct Key {
  std::string_view name;     ///< "section.key"
  std::string_view meaning;  ///< with the unit
  std::string_view type;
  std::string range;     ///< empty where every value of the type is allowed
  std::string expected;  ///< type and range as in "expected an integer >= 1"
  std::string default_text;
  bool is_list = false;
  std::function<bool(const YAML::Node&, Config&)> read;  ///< false, and nothing changed: not what is expected
  std::function<std::string(const Config&)> print;       ///< the value in YAML

  std::string_view section() const { return name.substr(0, name.find('.')); }
  std::string_view leaf() const { return name.substr(name.find('.') + 1); }
};

/// Every key there is, by section. Adding a key = a member in config.h and a row here.
const std::vector<Key>& Keys();

/// The sections, in the order of the table.
std::vector<std::string_view> Sections();

/// The key of that name, or nullptr.
const Key* FindKey(std::string_view name);

/// The key that was probably meant by `name`, which may lack its section; empty where none is near.
std::string_view NearestKey(std::string_view name);

}  // namespace gradwire::train
