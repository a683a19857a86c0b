// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config_key.h"
#include "train/config/config.h"

namespace gradwire {

// An oracle's noise, as ParseNoise reads it.
bool ReadValue(const ConfigValue& written, Noise& value);
std::string PrintValue(const Noise& value);
TypeName NameOf(const Noise&);

}  // namespace gradwire

namespace gradwire::train {

// A step size as it is written: a number or the word theory.
bool ReadValue(const ConfigValue& written, StepSize& value);
std::string PrintValue(const StepSize& value);
TypeName NameOf(const StepSize&);

/// A row of the table of keys.
using Key = ConfigKey<Config>;

/// Every key there is, by section. Adding a key = a member in config.h and a row here.
const std::vector<Key>& Keys();

/// The sections, in the order of the table.
std::vector<std::string_view> Sections();

/// The key of that name, or nullptr.
const Key* FindKey(std::string_view name);

/// The key that was probably meant by `name`, which may lack its section; empty where none is near.
std::string_view NearestKey(std::string_view name);

}  // namespace gradwire::train
