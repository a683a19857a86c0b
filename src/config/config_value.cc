// SPDX-License-Identifier: Apache-2.0
#include "config/config_value.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"

namespace gradwire {

namespace {

using Kind = ConfigValue::Kind;

/// Whether YAML takes these characters, without quotes, as this text.
bool IsPlainText(const std::string& text) {
  static const std::vector<std::string_view> kWords = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  const auto is_safe = [](unsigned char c) {
    return std::isalnum(c) || std::string_view("_./%,()+-:=").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, is_safe) &&
         (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '/' || text[0] == '.' || text[0] == '_') &&
         text.back() != ':' && std::ranges::find(kWords, text) == kWords.end();
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      quoted += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else
      quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

bool ReadValue(const ConfigValue& written, bool& value) {
  static const std::vector<std::string_view> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
  static const std::vector<std::string_view> kFalse = {"false", "False", "FALSE", "no", "No",
                                                       "NO",    "off",   "Off",   "OFF"};
  if (written.kind != Kind::kPlain) return false;
  value = std::ranges::find(kTrue, written.text) != kTrue.end();
  return value || std::ranges::find(kFalse, written.text) != kFalse.end();
}

bool ReadValue(const ConfigValue& written, double& value) {
  if (written.kind != Kind::kPlain) return false;
  const std::string& text = written.text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
}

bool ReadValue(const ConfigValue& written, std::string& value) {
  if (written.kind == Kind::kList || written.kind == Kind::kMap) return false;
  value = written.text;
  return true;
}

bool ReadValue(const ConfigValue& written, std::vector<double>& value) {
  if (written.kind != Kind::kList) return false;
  value.resize(written.elements.size());
  for (size_t i = 0; i < value.size(); ++i)
    if (!ReadValue(written.elements[i], value[i])) return false;
  return true;
}

std::string PrintValue(bool value) { return value ? "true" : "false"; }

std::string PrintValue(double value) {
  std::string text = fmt::format("{}", value);
  // YAML 1.1 readers such as Python's take 1e-05 as text; 1.0e-05 is a number to everyone.
  if (const size_t e = text.find('e'); e != std::string::npos && text.find('.') == std::string::npos)
    text.insert(e, ".0");
  return text;
}

std::string PrintValue(const std::string& value) { return IsPlainText(value) ? value : Quoted(value); }

std::string PrintValue(const std::vector<double>& value) {
  std::vector<std::string> texts;
  for (const double element : value) texts.push_back(PrintValue(element));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string Describe(const ConfigValue& written) {
  switch (written.kind) {
    case Kind::kNothing: return "nothing";
    case Kind::kMap: return "a map";
    case Kind::kPlain: return fmt::format("'{}'", Shown(written.text));
    case Kind::kQuoted: return fmt::format("the text \"{}\"", Shown(written.text));
    case Kind::kList: break;
  }
  std::vector<std::string> texts;
  for (const ConfigValue& element : written.elements)
    texts.push_back(element.kind == Kind::kPlain || element.kind == Kind::kQuoted ? element.text : Describe(element));
  return Shown(fmt::format("[{}]", fmt::join(texts, ", ")), 200);
}

bool OneOf::Allows(const std::string& value) const {
  return std::find(choices.begin(), choices.end(), value) != choices.end();
}

std::string OneOf::text() const { return fmt::format("one of {}", fmt::join(choices, ", ")); }

bool Range::Allows(double value) const {
  return (open_min ? value > min : value >= min) && (open_max ? value < max : value <= max);
}

bool Range::Allows(const std::vector<double>& values) const {
  return std::all_of(values.begin(), values.end(), [this](double value) { return Allows(value); });
}

std::string Range::text() const {
  const std::string lower = fmt::format("{} {}", open_min ? ">" : ">=", min);
  return std::isinf(max) ? lower : fmt::format("{} and {} {}", lower, open_max ? "<" : "<=", max);
}

}  // namespace gradwire
