// SPDX-License-Identifier: Apache-2.0
#include "train/config_value.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace gradwire::train {

bool IsPlainScalar(const YAML::Node& node) { return node.IsScalar() && (node.Tag().empty() || node.Tag() == "?"); }

bool ReadValue(const YAML::Node& node, bool& value) {
  return IsPlainScalar(node) && YAML::convert<bool>::decode(node, value);
}

bool ReadValue(const YAML::Node& node, double& value) {
  if (!IsPlainScalar(node)) return false;
  const std::string& text = node.Scalar();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
}

bool ReadValue(const YAML::Node& node, StepSize& value) {
  value.is_theory = IsPlainScalar(node) && node.Scalar() == "theory";
  return value.is_theory || ReadValue(node, value.number);
}

bool ReadValue(const YAML::Node& node, std::string& value) {
  if (!node.IsScalar() && !node.IsNull()) return false;
  value = node.IsNull() ? "" : node.Scalar();
  return true;
}

bool ReadValue(const YAML::Node& node, std::vector<double>& value) {
  if (!node.IsSequence()) return false;
  value.resize(node.size());
  for (size_t i = 0; i < node.size(); ++i)
    if (!ReadValue(node[i], value[i])) return false;
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

std::string PrintValue(const StepSize& value) { return value.is_theory ? "theory" : PrintValue(value.number); }

std::string PrintValue(const std::string& value) {
  YAML::Emitter out;
  out << value;
  return out.c_str();
}

std::string PrintValue(const std::vector<double>& value) {
  std::vector<std::string> texts;
  for (const double element : value) texts.push_back(PrintValue(element));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string Describe(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsMap()) return "a map";
  if (IsPlainScalar(node)) return fmt::format("'{}'", node.Scalar());
  if (node.IsScalar()) return fmt::format("the text \"{}\"", node.Scalar());
  std::vector<std::string> texts;
  for (const YAML::Node& element : node) texts.push_back(element.IsScalar() ? element.Scalar() : Describe(element));
  return fmt::format("[{}]", fmt::join(texts, ", "));
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

}  // namespace gradwire::train
