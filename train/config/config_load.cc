// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.h"
#include "gossip/gossip_method.h"
#include "gradwire/method.h"
#include "gradwire/pays.h"
#include "newton/newton_method.h"
#include "train/config/config.h"
#include "train/config/config_keys.h"
#include "train/config/image_sets.h"
#include "train/config/modes.h"
#include "train/config/yaml_text.h"

namespace gradwire::train {
namespace {

using Places = std::map<std::string, std::string, std::less<>>;

std::string PlaceOf(const Override& override) { return fmt::format("command line, '{}'", Shown(override.word, 200)); }

std::string SuggestFor(std::string_view name) {
  const std::string_view nearest = NearestKey(name);
  return nearest.empty() ? "" : fmt::format("; the nearest key is {}", nearest);
}

/// Why a name may stand where no key is meant; empty where nothing speaks for it.
std::string HintAbout(std::string_view name) {
  if (name.ends_with("<<"))
    return "; YAML's merge keys are not read: write out the keys that are meant, each with its alias (lr: *rate)";
  const std::string_view leaf = name.substr(name.rfind('.') + 1);  // npos + 1 = 0: the whole name
  const std::vector<std::string_view> sections = Sections();
  if (leaf != name && std::ranges::find(sections, leaf) != sections.end())
    return fmt::format("; {} is a section: it stands at the beginning of its line", leaf);
  const auto count = [&](char c) { return std::count(name.begin(), name.end(), c); };
  const bool is_number = !leaf.empty() && leaf.find_first_not_of("0123456789.%") == leaf.npos;
  if (count('(') != count(')') || is_number)
    return "; within { } a comma ends a value: put one that has commas in quotes, \"induced(topk:1%,randk:1%)\"";
  return SuggestFor(name);
}

ConfigError UnknownSection(const std::string& place, const std::string& name) {
  return ConfigError(fmt::format("{}: unknown section '{}': expected one of {}, each with its keys indented below it{}",
                                 place, Shown(name), fmt::join(Sections(), ", "), HintAbout(name)));
}

ConfigError UnknownKey(const std::string& place, const std::string& name) {
  std::vector<std::string_view> siblings;
  for (const Key& key : Keys())
    if (key.section() == name.substr(0, name.find('.'))) siblings.push_back(key.leaf());
  const std::string expected = siblings.empty()
                                   ? fmt::format("section.key, where the sections are {}", fmt::join(Sections(), ", "))
                                   : fmt::format("one of this section's keys {}", fmt::join(siblings, ", "));
  return ConfigError(fmt::format("{}: unknown key '{}': expected {}{}", place, Shown(name), expected, HintAbout(name)));
}

/// Notes where a key or section is given; throws if it was given before in the same source.
void NoteOnce(Places& seen, const std::string& name, const std::string& place) {
  const auto [before, is_new] = seen.emplace(name, place);
  if (!is_new)
    throw ConfigError(fmt::format("{}: {} is given twice, first at {}: expected once; delete one of them", place, name,
                                  before->second));
}

/// Whether there are the curved quotes that word processors write, which YAML does not know.
bool HasOtherQuotes(std::string_view text) {
  return std::ranges::any_of(std::array{"\u2018", "\u2019", "\u201c", "\u201d"},
                             [&](std::string_view quote) { return text.find(quote) != text.npos; });
}

void Set(Config& config, const Key& key, const ConfigValue& value, const std::string& place) {
  if (!key.read(value, config))
    throw ConfigError(fmt::format("{}: {}: found {}, expected {}{}", place, key.name, Describe(value), key.expected,
                                  HasOtherQuotes(value.text) ? "; \u201c and \u2019 are no quotes to YAML" : ""));
  config.places.insert_or_assign(std::string(key.name), place);
}

std::string NameAt(const std::string& place, const ConfigValue& name) {
  if (name.kind == ConfigValue::Kind::kPlain || name.kind == ConfigValue::Kind::kQuoted) return name.text;
  throw ConfigError(fmt::format("{}: found {} as the name of a key, expected a word", place, Describe(name)));
}

/// What is done with each name of a map, the place where it stands, and its value.
template <typename Do>
void ForEach(const ConfigValue& map, const std::string& file, Do use) {
  for (size_t i = 0; i + 1 < map.elements.size(); i += 2) {
    const std::string place = fmt::format("{}:{}", file, map.elements[i].line);
    use(NameAt(place, map.elements[i]), place, map.elements[i + 1]);
  }
}

void ReadSection(Config& config, const std::string& file, const std::string& section, const ConfigValue& keys,
                 Places& seen) {
  ForEach(keys, file, [&](const std::string& leaf, const std::string& place, const ConfigValue& value) {
    const std::string name = section + "." + leaf;
    const Key* key = FindKey(name);
    if (key == nullptr) throw UnknownKey(place, name);
    NoteOnce(seen, name, place);
    Set(config, *key, value, place);
  });
}

void ReadFile(Config& config, const std::string& file) {
  const ConfigValue document = ReadYamlFile(file);
  if (document.kind == ConfigValue::Kind::kNothing) return;
  if (document.kind != ConfigValue::Kind::kMap)
    throw ConfigError(fmt::format("{}:{}: found {}, expected a map of the sections {}", file, document.line,
                                  Describe(document), fmt::join(Sections(), ", ")));
  const std::vector<std::string_view> sections = Sections();
  Places seen;
  ForEach(document, file, [&](const std::string& section, const std::string& place, const ConfigValue& keys) {
    if (std::find(sections.begin(), sections.end(), section) == sections.end()) throw UnknownSection(place, section);
    NoteOnce(seen, section, place);
    if (keys.kind != ConfigValue::Kind::kMap && keys.kind != ConfigValue::Kind::kNothing)
      throw ConfigError(
          fmt::format("{}: section {}: found {}, expected a map of its keys, 'key: value' in lines of their own", place,
                      section, Describe(keys)));
    ReadSection(config, file, section, keys, seen);
  });
}

/// Only a list is parsed as YAML: other values are taken as they are, whatever characters they hold.
ConfigValue ValueOf(const Override& override, const Key& key) {
  if (!key.is_list) return ConfigValue::Plain(override.value);
  try {
    return ReadYaml(override.value, "");
  } catch (const ConfigError&) {
    throw ConfigError(fmt::format("{}: {}: found '{}', expected {}", PlaceOf(override), key.name, Shown(override.value),
                                  key.expected));
  }
}

void Apply(Config& config, const std::vector<Override>& overrides) {
  Places seen;
  for (const Override& override : overrides) {
    const std::string place = PlaceOf(override);
    const Key* key = FindKey(override.key);
    if (key == nullptr) throw UnknownKey(place, override.key);
    NoteOnce(seen, override.key, place);
    Set(config, *key, ValueOf(override, *key), place);
  }
}

}  // namespace

Override ParseOverride(const std::string& word) {
  const size_t equals = word.find('=');
  if (equals != std::string::npos && equals > 0) return {word, word.substr(0, equals), word.substr(equals + 1)};
  throw ConfigError(fmt::format("command line, '{}': expected section.key=value, e.g. optimizer.lr=0.05{}", Shown(word),
                                SuggestFor(word.substr(0, equals))));
}

Config LoadConfig(const std::string& file, const std::vector<Override>& overrides) {
  Config config;
  ReadFile(config, file);
  Apply(config, overrides);
  if (config.run.output_dir.empty()) config.run.output_dir = "runs/" + std::filesystem::path(file).stem().string();
  if (ModeOf(config).has_hessians && config.comm.method == "auto") config.comm.method = "none";
  CheckTogether(config);
  // Records and config.yaml say what is run, where it was auto.
  config.comm = Settled(config.comm);
  if (!CanStayDense(config)) config.comm.when = "always";
  const Method& method = FindMethod(config.comm.method);
  config.comm.compressor = MakeParts(CommOf(config), 0).compressor->spec();
  if (ModeOf(config).has_hessians) Settle(config.newton);
  config.objective.star_shift = config.objective.star_shift.value_or(method.star_shift);
  if (ModeOf(config).has_neighbours) {
    const GossipMethod& gossip = FindGossipMethod(config.gossip.method);
    config.gossip.lambda = config.gossip.lambda.value_or(gossip.lambda);
    config.gossip.gamma = config.gossip.gamma.value_or(1);    // where it may be left out
    if (!gossip.compresses) config.comm.compressor = "auto";  // nothing reads it
  }
  if (config.objective.is_network() && !config.model.num_classes)
    config.model.num_classes = FindImages(config.data.dataset).classes;
  return config;
}

}  // namespace gradwire::train
