// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "gradwire/method.h"
#include "train/config.h"
#include "train/config_keys.h"

namespace gradwire::train {
namespace {

using Places = std::map<std::string, std::string, std::less<>>;

std::string LineOf(const std::string& file, const YAML::Mark& mark) {
  return fmt::format("{}:{}", file, mark.line + 1);
}

std::string PlaceOf(const Override& override) { return fmt::format("command line, '{}'", override.word); }

std::string ReadText(const std::string& file) {
  errno = 0;
  std::ifstream in(file);
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(file, ignored);  // opens like a file, reads like an empty one
  if (in && !is_folder) return {std::istreambuf_iterator<char>(in), {}};
  throw ConfigError(fmt::format("{}: cannot be read ({}); expected a YAML file such as configs/quickstart.yaml", file,
                                is_folder ? "it is a folder" : std::strerror(errno)));
}

/// The file's only document; a null node where the file is empty.
YAML::Node ReadDocument(const std::string& file) {
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(ReadText(file));
  } catch (const YAML::Exception& error) {
    throw ConfigError(
        fmt::format("{}: not valid YAML: {}; expected a map of sections, each with its keys indented below it",
                    LineOf(file, error.mark), error.msg));
  }
  if (documents.size() > 1)
    throw ConfigError(fmt::format("{}: a second YAML document ('---') begins before this line; expected one document",
                                  LineOf(file, documents[1].Mark())));
  return documents.empty() ? YAML::Node() : documents.front();
}

std::string SuggestFor(std::string_view name) {
  const std::string_view nearest = NearestKey(name);
  return nearest.empty() ? "" : fmt::format("; the nearest key is {}", nearest);
}

ConfigError UnknownSection(const std::string& place, const std::string& name) {
  return ConfigError(fmt::format("{}: unknown section '{}': expected one of {}, each with its keys indented below it{}",
                                 place, name, fmt::join(Sections(), ", "), SuggestFor(name)));
}

ConfigError UnknownKey(const std::string& place, const std::string& name) {
  std::vector<std::string_view> siblings;
  for (const Key& key : Keys())
    if (key.section() == name.substr(0, name.find('.'))) siblings.push_back(key.leaf());
  const std::string expected = siblings.empty()
                                   ? fmt::format("section.key, where the sections are {}", fmt::join(Sections(), ", "))
                                   : fmt::format("one of this section's keys {}", fmt::join(siblings, ", "));
  return ConfigError(fmt::format("{}: unknown key '{}': expected {}{}", place, name, expected, SuggestFor(name)));
}

/// Notes where a key or section is given; throws if it was given before in the same source.
void NoteOnce(Places& seen, const std::string& name, const std::string& place) {
  const auto [before, is_new] = seen.emplace(name, place);
  if (!is_new)
    throw ConfigError(fmt::format("{}: {} is given twice, first at {}: expected once; delete one of them", place, name,
                                  before->second));
}

/// Keeps the difference between 64 and "64", as the tag of a node does.
ConfigValue AsWritten(const YAML::Node& node) {
  using Kind = ConfigValue::Kind;
  if (!node.IsDefined() || node.IsNull()) return {};
  if (node.IsMap()) return {Kind::kMap, "", {}};
  if (node.IsScalar())
    return {node.Tag().empty() || node.Tag() == "?" ? Kind::kPlain : Kind::kQuoted, node.Scalar(), {}};
  ConfigValue list{Kind::kList, "", {}};
  for (const YAML::Node& element : node) list.elements.push_back(AsWritten(element));
  return list;
}

void Set(Config& config, const Key& key, const ConfigValue& value, const std::string& place) {
  if (!key.read(value, config))
    throw ConfigError(fmt::format("{}: {}: found {}, expected {}", place, key.name, Describe(value), key.expected));
  config.places.insert_or_assign(std::string(key.name), place);
}

std::string NameAt(const std::string& file, const YAML::Node& name) {
  if (name.IsScalar()) return name.Scalar();
  throw ConfigError(fmt::format("{}: found {} as the name of a key, expected a word", LineOf(file, name.Mark()),
                                Describe(AsWritten(name))));
}

void ReadSection(Config& config, const std::string& file, const std::string& section, const YAML::Node& keys,
                 Places& seen) {
  for (const auto& entry : keys) {
    const std::string name = section + "." + NameAt(file, entry.first), place = LineOf(file, entry.first.Mark());
    const Key* key = FindKey(name);
    if (key == nullptr) throw UnknownKey(place, name);
    NoteOnce(seen, name, place);
    Set(config, *key, AsWritten(entry.second), place);
  }
}

void ReadFile(Config& config, const std::string& file) {
  const YAML::Node document = ReadDocument(file);
  if (document.IsNull()) return;
  if (!document.IsMap())
    throw ConfigError(fmt::format("{}: found {}, expected a map of the sections {}", LineOf(file, document.Mark()),
                                  Describe(AsWritten(document)), fmt::join(Sections(), ", ")));
  const std::vector<std::string_view> sections = Sections();
  Places seen;
  for (const auto& entry : document) {
    const YAML::Node& keys = entry.second;
    const std::string section = NameAt(file, entry.first), place = LineOf(file, entry.first.Mark());
    if (std::find(sections.begin(), sections.end(), section) == sections.end()) throw UnknownSection(place, section);
    NoteOnce(seen, section, place);
    if (!keys.IsMap() && !keys.IsNull())
      throw ConfigError(fmt::format("{}: section {}: found {}, expected a map of its keys", place, section,
                                    Describe(AsWritten(keys))));
    ReadSection(config, file, section, keys, seen);
  }
}

/// Only a list is parsed as YAML: other values are taken as they are, whatever characters they hold.
ConfigValue ValueOf(const Override& override, const Key& key) {
  if (!key.is_list) return ConfigValue::Plain(override.value);
  try {
    return AsWritten(YAML::Load(override.value));
  } catch (const YAML::Exception& error) {
    throw ConfigError(
        fmt::format("{}: {}: found '{}', expected {}", PlaceOf(override), key.name, override.value, key.expected));
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

/// What was left to the method gets the method's value: config.yaml and the records say what ran.
void TakeFromMethod(Config& config) {
  config.comm.compressor = MakeParts(CommOf(config), 0).compressor->spec();
  if (config.objective.is_network()) return;
  const Method& method = FindMethod(config.comm.method);
  if (!config.places.contains("objective.ema")) config.objective.ema = method.ema;
  if (!config.places.contains("objective.star_shift")) config.objective.star_shift = method.star_shift;
}

}  // namespace

Override ParseOverride(const std::string& word) {
  const size_t equals = word.find('=');
  if (equals != std::string::npos && equals > 0) return {word, word.substr(0, equals), word.substr(equals + 1)};
  throw ConfigError(fmt::format("command line, '{}': expected section.key=value, e.g. optimizer.lr=0.05{}", word,
                                SuggestFor(word.substr(0, equals))));
}

Config LoadConfig(const std::string& file, const std::vector<Override>& overrides) {
  Config config;
  ReadFile(config, file);
  Apply(config, overrides);
  if (config.run.output_dir.empty()) config.run.output_dir = "runs/" + std::filesystem::path(file).stem().string();
  CheckTogether(config);
  TakeFromMethod(config);
  return config;
}

}  // namespace gradwire::train
