// SPDX-License-Identifier: Apache-2.0
#include "problem/libsvm.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr std::string_view kBlank = " \t\r\v\f";
constexpr size_t kMaxLine = size_t{16} << 20;  // bytes, for half a million pairs

template <typename N>
bool ReadNumber(std::string_view text, N& number) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);  // from_chars takes no plus
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool ReadFinite(std::string_view text, double& number) { return ReadNumber(text, number) && std::isfinite(number); }

/// Reads one file, line by line.
class Reader {
 public:
  Reader(const std::string& name, uint32_t first_index, Targets targets)
      : name_(name), first_(first_index), has_classes_(targets == Targets::kClasses) {}

  void Line(std::string_view line) {
    ++line_;
    if (line.size() > kMaxLine)
      Fail(fmt::format("a line of more than {} bytes, expected one sample in each line", kMaxLine));
    line = line.substr(0, line.find('#'));
    std::string_view word = NextWord(line);
    if (word.empty()) return;
    double label = 0;
    if (!ReadFinite(word, label))
      Fail(fmt::format("found '{}' as the label, expected a number such as +1 or -1", Shown(word)));
    if (has_classes_) NoteLabel(label);
    for (uint64_t least = first_; !(word = NextWord(line)).empty();) least = Pair(word, least);
    rows_->begin.push_back(rows_->column.size());
    rows_->label.push_back(label);
  }

  std::shared_ptr<const LabelledRows> Finish() {
    if (rows_->rows() == 0)
      throw ConfigError(fmt::format("{}: holds no samples, expected lines such as '+1 3:0.5 7:1'", name_));
    if (has_classes_ && labels_.size() < 2)
      throw ConfigError(fmt::format("{}: every label is {}, expected two classes", name_, labels_[0]));
    if (rows_->columns == 0) throw ConfigError(fmt::format("{}: no sample has a feature, expected index:value", name_));
    if (!has_classes_) return rows_;
    const double positive = std::max(labels_[0], labels_[1]);
    for (double& label : rows_->label) label = label == positive ? 1 : -1;
    return rows_;
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw ConfigError(fmt::format("{}:{}: {}", name_, line_, what));
  }

  static std::string_view NextWord(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(kBlank));
    line.remove_prefix(word.size());
    return word;
  }

  void NoteLabel(double label) {
    if (std::find(labels_.begin(), labels_.end(), label) != labels_.end()) return;
    if (labels_.size() == 2)
      Fail(fmt::format("found the label {} after {} and {}, expected two classes in all", label, labels_[0],
                       labels_[1]));
    labels_.push_back(label);
  }

  /// Reads "index:value" and returns the least index that may follow.
  uint64_t Pair(std::string_view word, uint64_t least) {
    const size_t colon = word.find(':');
    uint32_t index = 0;
    double value = 0;
    if (colon == std::string_view::npos || !ReadNumber(word.substr(0, colon), index) ||
        !ReadFinite(word.substr(colon + 1), value))
      Fail(fmt::format("found '{}', expected index:value with an index >= {} and a finite value", Shown(word), first_));
    if (index < first_)
      Fail(
          fmt::format("found the index 0 in '{}', expected indices from 1; for a file that counts from 0 set "
                      "objective.zero_based to true",
                      word));
    if (index < least)
      Fail(fmt::format("found the index {} after {}, expected indices that increase", index, least - 1));
    rows_->columns = std::max<size_t>(rows_->columns, size_t{index} - first_ + 1);
    rows_->column.push_back(index - first_);
    rows_->value.push_back(value);
    return uint64_t{index} + 1;
  }

  std::string name_;
  uint32_t first_;
  bool has_classes_;
  size_t line_ = 0;
  std::vector<double> labels_;  // of classes, two at most
  std::shared_ptr<LabelledRows> rows_ = std::make_shared<LabelledRows>();
};

}  // namespace

void LabelledRows::Append(const std::vector<double>& features, double target) {
  for (size_t j = 0; j < features.size(); ++j) {
    column.push_back(static_cast<uint32_t>(j));
    value.push_back(features[j]);
  }
  begin.push_back(column.size());
  label.push_back(target);
  columns = std::max(columns, features.size());
}

std::shared_ptr<const LabelledRows> ReadLibsvm(std::istream& in, const std::string& name, uint32_t first_index,
                                               Targets targets) {
  Reader reader(name, first_index, targets);
  std::string line;
  for (bool is_first = true; ReadLine(in, line, kMaxLine); is_first = false) {
    const std::string_view text = is_first ? BehindMark(line) : line;
    if (const auto unpacker = UnpackerOf(line); is_first && !unpacker.empty())
      throw ConfigError(fmt::format("{}: is packed; expected text in the LIBSVM format: {} it first", name, unpacker));
    reader.Line(text);
  }
  return reader.Finish();
}

std::shared_ptr<const LabelledRows> ReadLibsvm(const std::string& file, uint32_t first_index, Targets targets) {
  std::ifstream in(file);
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(file, ignored))
    throw ConfigError(fmt::format("{}: cannot be read; expected a file in the LIBSVM format", file));
  return ReadLibsvm(in, file, first_index, targets);
}

}  // namespace gradwire
