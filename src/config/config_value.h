// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradwire {

// How one value is read, judged and printed.

/// A value as it was written, in YAML or elsewhere.
struct ConfigValue {
  enum class Kind { kNothing, kPlain, kQuoted, kList, kMap };  // plain: a number or a word without quotes

  static ConfigValue Plain(std::string text) { return {Kind::kPlain, std::move(text), {}}; }

  Kind kind = Kind::kNothing;
  std::string text;                   ///< of plain and quoted ones
  std::vector<ConfigValue> elements;  ///< of a list; of a map its names and values in turn
  size_t line = 0;                    ///< of a file, from 1
};

// ReadValue returns false where the node is not of the type. Numbers are decimal: YAML 1.1 would take 064 as octal.
bool ReadValue(const ConfigValue& written, bool& value);
bool ReadValue(const ConfigValue& written, double& value);
bool ReadValue(const ConfigValue& written, std::string& value);
bool ReadValue(const ConfigValue& written, std::vector<double>& value);

template <std::integral N>
bool ReadValue(const ConfigValue& written, N& value) {
  if (written.kind != ConfigValue::Kind::kPlain) return false;
  const std::string& text = written.text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

/// A value, or the word auto.
template <typename T>
bool ReadValue(const ConfigValue& written, std::optional<T>& value) {
  value.reset();
  if (written.kind == ConfigValue::Kind::kPlain && written.text == "auto") return true;
  return ReadValue(written, value.emplace());
}

// YAML that ReadValue turns back into the same value.
std::string PrintValue(bool value);
std::string PrintValue(double value);
std::string PrintValue(const std::string& value);
std::string PrintValue(const std::vector<double>& value);

template <std::integral N>
std::string PrintValue(N value) {
  return std::to_string(value);
}

template <typename T>
std::string PrintValue(const std::optional<T>& value) {
  return value ? PrintValue(*value) : "auto";
}

/// The value as an error message shows it.
std::string Describe(const ConfigValue& written);

/// A type's name in tables, and in "expected ...".
struct TypeName {
  std::string_view name, phrase;
};
inline TypeName NameOf(bool) { return {"boolean", "true or false"}; }
inline TypeName NameOf(double) { return {"number", "a number"}; }
inline TypeName NameOf(const std::string&) { return {"text", "text"}; }
inline TypeName NameOf(const std::vector<double>&) { return {"list of numbers", "a list of numbers"}; }
inline TypeName NameOf(std::optional<double>) { return {"number or auto", "a number"}; }
inline TypeName NameOf(std::optional<int64_t>) { return {"integer or auto", "an integer"}; }
inline TypeName NameOf(std::optional<bool>) { return {"boolean or auto", "true or false"}; }
inline TypeName NameOf(std::integral auto) { return {"integer", "an integer"}; }

// Rules: which values of the type are allowed. text() is the range as tables show it.

struct AnyValue {
  bool Allows(const auto&) const { return true; }
  std::string text() const { return ""; }
  std::string Expected(std::string_view phrase) const { return std::string(phrase); }
};

struct NotEmpty {
  bool Allows(const std::string& value) const { return !value.empty(); }
  std::string text() const { return "not empty"; }
  std::string Expected(std::string_view phrase) const { return std::string(phrase) + " that is not empty"; }
};

struct OneOf {
  std::vector<std::string> choices;

  bool Allows(const std::string& value) const;
  std::string text() const;
  std::string Expected(std::string_view) const { return text(); }
};

/// An interval; a list is inside if all its elements are.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool open_min = false, open_max = false;  // whether the end itself is outside

  bool Allows(double value) const;
  bool Allows(const std::vector<double>& values) const;
  std::string text() const;
  std::string Expected(std::string_view phrase) const { return std::string(phrase) + " " + text(); }
};

/// The rule of a value that may also be the word auto.
template <typename Rule>
struct OrAuto {
  Rule rule;

  bool Allows(const auto& value) const { return !value || rule.Allows(*value); }
  std::string text() const { return rule.text(); }
  std::string Expected(std::string_view phrase) const { return rule.Expected(phrase) + " or auto"; }
};

inline Range AtLeast(double min) { return {.min = min}; }
inline Range Above(double min) { return {.min = min, .open_min = true}; }
inline Range Between(double min, double max) { return {.min = min, .max = max}; }

}  // namespace gradwire
