// SPDX-License-Identifier: Apache-2.0
#include "train/config/yaml_text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"
#include "gradwire/error.h"

namespace gradwire::train {
namespace {

using Kind = ConfigValue::Kind;

ConfigError ErrorIn(const std::string& file, size_t line, const std::string& what) {
  return ConfigError(fmt::format("{}:{}: {}", file, line, what));
}

size_t LineOf(const YAML::Mark& mark) { return static_cast<size_t>(mark.line) + 1; }

size_t CountOf(const ConfigValue& value) {
  size_t count = 1;
  for (const ConfigValue& element : value.elements) count += CountOf(element);
  return count;
}

/// Builds the tree from the parser's events and counts them, so that neither a file of aliases to aliases nor an error
/// of the parser itself can go on for ever.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& file) : file_(file) {}

  ConfigValue root;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Add({Kind::kNothing, "", {}}, mark, anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto named = anchors_.find(anchor);
    if (named == anchors_.end())
      throw ErrorIn(file_, LineOf(mark), "an alias stands within what it names: expected values that end");
    Count(CountOf(named->second) - 1, mark);
    Add(named->second, mark, 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    Add({tag.empty() || tag == "?" ? Kind::kPlain : Kind::kQuoted, text, {}}, mark, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Unfinished {
    ConfigValue value;
    YAML::anchor_t anchor;
  };

  void Count(size_t values, const YAML::Mark& mark) {
    count_ += values;
    if (count_ > kMaxYamlValues)
      throw ErrorIn(file_, LineOf(mark),
                    fmt::format("more than {} values, those that aliases stand for included: expected a file of "
                                "settings",
                                kMaxYamlValues));
  }
  void Open(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    Count(1, mark);
    if (open_.size() == kMaxYamlDepth)
      throw ErrorIn(file_, LineOf(mark),
                    fmt::format("lists and maps within each other, more than {} deep: expected sections with keys",
                                kMaxYamlDepth));
    open_.push_back({{kind, "", {}, LineOf(mark)}, anchor});
  }
  void Close() {
    Unfinished closed = std::move(open_.back());
    open_.pop_back();
    Keep(std::move(closed.value), closed.anchor);
  }
  void Add(ConfigValue value, const YAML::Mark& mark, YAML::anchor_t anchor) {
    Count(1, mark);
    value.line = LineOf(mark);
    Keep(std::move(value), anchor);
  }
  void Keep(ConfigValue value, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_.insert_or_assign(anchor, value);
    (open_.empty() ? root : open_.back().value.elements.emplace_back()) = std::move(value);
  }

  const std::string& file_;
  std::vector<Unfinished> open_;  // lists and maps around the next value, the outermost first
  std::map<YAML::anchor_t, ConfigValue> anchors_;
  size_t count_ = 0;
};

/// Stops at the beginning of a document.
class NoDocument final : public YAML::EventHandler {
 public:
  explicit NoDocument(const std::string& file) : file_(file) {}
  void OnDocumentStart(const YAML::Mark& mark) override {
    throw ErrorIn(file_, LineOf(mark),
                  "the first YAML document ends before this line; expected one document, without '---' in between and "
                  "with every section at the beginning of its line");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  const std::string& file_;
};

/// With the ends of lines of all systems as '\n'.
std::string WithPlainEnds(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool is_return = text[at] == '\r';
    plain += is_return ? '\n' : text[at];
    if (is_return && at + 1 < text.size() && text[at + 1] == '\n') ++at;
  }
  return plain;
}

void CheckText(const std::string& text, const std::string& file) {
  if (text.size() > kMaxYamlBytes)
    throw ConfigError(
        fmt::format("{}: is larger than {} bytes: expected a YAML file of settings", file, kMaxYamlBytes));
  if (const auto unpacker = UnpackerOf(text); !unpacker.empty())
    throw ConfigError(fmt::format("{}: is packed; expected YAML text: {} it first", file, unpacker));
  const size_t at = FindNoText(text);
  if (at == std::string::npos) return;
  const auto line = static_cast<size_t>(std::ranges::count(std::string_view(text).substr(0, at), '\n')) + 1;
  throw ErrorIn(file, line, fmt::format("found the byte {}, expected YAML text in UTF-8", Shown(text.substr(at, 1))));
}

/// What is probably wrong there.
std::string HintAt(const std::string& text, const YAML::Exception& error) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 0; number <= error.mark.line && std::getline(lines, line);) ++number;
  const std::string_view indent = std::string_view(line).substr(0, line.find_first_not_of(" \t"));
  if (indent.find('\t') != indent.npos) return "; the line is indented with a tab: expected spaces";
  if (error.msg == YAML::ErrorMsg::MAP_VALUE)
    return "; is a key indented otherwise than those above it, or a value with ': ' in it not in quotes?";
  return "; expected a map of sections, each with its keys indented below it, all alike";
}

}  // namespace

ConfigValue ReadYaml(const std::string& bytes, const std::string& file) {
  const std::string text = WithPlainEnds(BehindMark(bytes));
  CheckText(text, file);
  TreeBuilder tree(file);
  NoDocument no_more(file);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    // One call a document: asked for all, yaml-cpp 0.7 finds an empty one before a stray comma, for ever.
    if (parser.HandleNextDocument(tree)) parser.HandleNextDocument(no_more);
  } catch (const YAML::Exception& error) {
    throw ErrorIn(file, LineOf(error.mark), fmt::format("not valid YAML: {}{}", error.msg, HintAt(text, error)));
  }
  return std::move(tree.root);
}

ConfigValue ReadYamlFile(const std::string& file) {
  errno = 0;
  std::ifstream in(file);
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(file, ignored);  // opens like a file, reads like an empty one
  if (!in || is_folder)
    throw ConfigError(fmt::format("{}: cannot be read ({}); expected a YAML file such as configs/quickstart.yaml", file,
                                  is_folder ? "it is a folder" : std::strerror(errno)));
  std::string text(kMaxYamlBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return ReadYaml(text, file);
}

}  // namespace gradwire::train
