// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/config_value.h"

namespace gradwire {

/// A row of a table of keys, which are set in a Config.
template <typename Config>
struct ConfigKey {
  std::string_view name;     ///< "section.key"
  std::string_view meaning;  ///< with the unit
  std::string_view type;
  std::string range;     ///< empty where every value of the type is allowed
  std::string expected;  ///< type and range as in "expected an integer >= 1"
  std::string default_text;
  bool is_list = false;
  std::function<bool(const ConfigValue&, Config&)> read;  ///< false, and nothing changed: not what is expected
  std::function<std::string(const Config&)> print;        ///< the value in YAML

  std::string_view section() const { return name.substr(0, name.find('.')); }
  std::string_view leaf() const { return name.substr(name.find('.') + 1); }
};

/// `place`: where the value stands in a Config, Config& -> T&, and const Config& -> const T&.
template <typename Config, typename Place, typename Rule>
ConfigKey<Config> MakeConfigKey(std::string_view name, Place place, Rule rule, std::string_view meaning) {
  using T = std::remove_cvref_t<decltype(place(std::declval<Config&>()))>;
  ConfigKey<Config> key;
  key.name = name;
  key.meaning = meaning;
  key.type = NameOf(T{}).name;
  key.range = rule.text();
  key.expected = rule.Expected(NameOf(T{}).phrase);
  key.default_text = PrintValue(place(Config{}));
  key.is_list = std::is_same_v<T, std::vector<double>>;
  key.read = [=](const ConfigValue& written, Config& config) {
    T value{};
    if (!ReadValue(written, value) || !rule.Allows(value)) return false;
    place(config) = std::move(value);
    return true;
  };
  key.print = [=](const Config& config) { return PrintValue(place(config)); };
  return key;
}

/// The key of that name, or nullptr.
template <typename Config>
const ConfigKey<Config>* FindIn(const std::vector<ConfigKey<Config>>& keys, std::string_view name) {
  for (const ConfigKey<Config>& key : keys)
    if (key.name == name) return &key;
  return nullptr;
}

}  // namespace gradwire
