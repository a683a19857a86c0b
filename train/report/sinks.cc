// SPDX-License-Identifier: Apache-2.0
#include "train/report/sinks.h"

#include <unistd.h>

#include <iostream>

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::ordered_json;

struct ToJson {
  Json operator()(std::monostate) const { return {}; }
  Json operator()(const Histogram& histogram) const {
    Json json = Json::object();
    for (const auto& [number, count] : histogram) json[std::to_string(number)] = count;
    return json;
  }
  template <typename T>
  Json operator()(const T& value) const {
    return value;
  }
};

/// The lines of metrics.jsonl up to a step, without the end of a run that was over.
std::string RecordsUpTo(const std::string& path, int64_t step) {
  std::ifstream file(path);
  std::string kept;
  for (std::string line; std::getline(file, line);) {
    const Json record = Json::parse(line, nullptr, /*allow_exceptions=*/false);  // the last one may be torn
    if (record.is_object() && record.value("step", step + 1) <= step && !record.contains("final")) kept += line + "\n";
  }
  return kept;
}

class JsonlSink final : public RecordSink {
 public:
  JsonlSink(const std::string& file, std::optional<int64_t> goes_on_at) {
    const std::string kept = goes_on_at ? RecordsUpTo(file, *goes_on_at) : "";
    file_ = CreateFile(file);
    file_ << kept << std::flush;
  }

  void Write(const Record& record) override {
    Json json;
    for (const Field& field : record.fields) json[std::string(field.name)] = std::visit(ToJson{}, field.value);
    file_ << json.dump() << std::endl;
  }

 private:
  std::ofstream file_;
};

class LogSink final : public RecordSink {
 public:
  LogSink(const std::string& file, std::optional<int64_t> goes_on_at) {
    CreateFile(file, goes_on_at ? std::ios::app : std::ios::out);
    log_ = std::make_unique<spdlog::logger>("gradwire", std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
  }

  void Write(const Record& record) override {
    for (const std::string& line : record.lines) Log(line);
  }
  void Log(const std::string& line) override { log_->info("{}", line); }

 private:
  std::unique_ptr<spdlog::logger> log_;
};

class TerminalSink final : public RecordSink {
 public:
  ~TerminalSink() override { EndLine(); }

  void Write(const Record& record) override {
    for (const std::string& line : record.lines) record.kind == Record::Kind::kInterval ? Overwrite(line) : Log(line);
  }
  void Log(const std::string& line) override {
    EndLine();
    std::cout << line << std::endl;
  }

 private:
  void Overwrite(const std::string& line) {
    if (is_terminal_)
      std::cout << "\r\x1b[K" << line << std::flush;
    else
      std::cout << line << std::endl;
    is_open_ = is_terminal_;
  }
  void EndLine() {
    if (is_open_) std::cout << std::endl;
    is_open_ = false;
  }

  const bool is_terminal_ = isatty(STDOUT_FILENO) == 1;
  bool is_open_ = false;  // the last line may be overwritten
};

}  // namespace

std::ofstream CreateFile(const std::string& path, std::ios::openmode mode) {
  std::ofstream file(path, mode);
  if (!file) throw Error(fmt::format("cannot write {}: check run.output_dir and its permissions", path));
  return file;
}

std::unique_ptr<RecordSink> MakeJsonlSink(const std::string& file, std::optional<int64_t> goes_on_at) {
  return std::make_unique<JsonlSink>(file, goes_on_at);
}

std::unique_ptr<RecordSink> MakeLogSink(const std::string& file, std::optional<int64_t> goes_on_at) {
  return std::make_unique<LogSink>(file, goes_on_at);
}

std::unique_ptr<RecordSink> MakeTerminalSink() { return std::make_unique<TerminalSink>(); }

}  // namespace gradwire::train
