// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gradwire::train {

/// How often each number occurred.
using Histogram = std::map<uint64_t, uint64_t>;

/// Nothing stands for a number that is not known.
using Value = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Histogram>;

inline Value OrNothing(const std::optional<double>& number) { return number ? Value(*number) : Value(); }

struct Field {
  std::string_view name;
  Value value;
};

/// What a run says at one of its steps, to programs and to people.
struct Record {
  enum class Kind {
    kInterval,    ///< of the steps since the record before
    kEvaluation,  ///< of the model on data that it is not trained on
    kFinal        ///< of the whole run
  };
  Kind kind = Kind::kInterval;
  int64_t step = 0;                ///< steps done
  std::vector<Field> fields;       ///< names and order as in metrics.jsonl
  std::vector<std::string> lines;  ///< the same in words
};

/// Where records go: a file, a terminal. For one thread at a time.
class RecordSink {
 public:
  virtual ~RecordSink() = default;

  virtual void Write(const Record& record) = 0;
  /// A line that is of no record.
  virtual void Log(const std::string&) {}
};

}  // namespace gradwire::train
