// SPDX-License-Identifier: Apache-2.0
#include "train/bench/kernels.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>

#include <fmt/format.h>

#include "compress/spec.h"
#include "gradwire/compressor.h"
#include "gradwire/error.h"
#include "train/bench/kernels_report.h"
#include "train/bench/operator_check.h"

namespace gradwire::train {
namespace {

constexpr size_t kCheckedNumel = 2 * kPieceNumel + 1237;  // two pieces, and one that no vector divides

const kernels::Isa& IsaOf(const std::string& name) {
  if (name.empty()) return kernels::ActiveIsa();
  std::vector<std::string_view> names;
  for (const kernels::Isa* isa : kernels::Isas()) {
    if (!isa->runs()) continue;
    if (isa->name == name) return *isa;
    names.push_back(isa->name);
  }
  const std::string_view near = Nearest(name, names);
  throw ConfigError(
      fmt::format("bench kernels: --isa {}: this build and machine have none of that name{}; expected "
                  "one of {}",
                  name, near.empty() ? "" : fmt::format(", perhaps {}", near), fmt::join(names, ", ")));
}

/// The first example of every operator, and those that goals are about.
std::vector<std::string> AllSpecs() {
  std::vector<std::string> specs;
  const auto add = [&](std::string_view spec) {
    if (std::ranges::find(specs, spec) == specs.end()) specs.emplace_back(spec);
  };
  for (const Goal& goal : Goals()) add(goal.spec);
  for (const CompressorInfo& info : Compressors())
    if (!ParseCompressor(info.examples[0])->sees_shape()) add(info.examples[0]);  // pieces have none here
  return specs;
}

/// Whether a word of --only is a part of the name, or there is none.
bool Wants(const std::vector<std::string>& only, const std::string& name) {
  return only.empty() ||
         std::ranges::any_of(only, [&](const auto& word) { return name.find(word) != std::string::npos; });
}

/// A word that is no part of these names is an operator of its own.
std::vector<std::string> SpecsOf(const std::vector<std::string>& only) {
  std::vector<std::string> all = AllSpecs(), specs;
  std::ranges::copy_if(all, std::back_inserter(specs), [&](const std::string& spec) { return Wants(only, spec); });
  all.emplace_back("positions");
  for (const std::string& word : only)
    if (std::ranges::none_of(all, [&](const std::string& name) { return Wants({word}, name); }))
      specs.push_back(ParseCompressor(word)->spec());
  return specs;
}

/// What every operator is timed at, and what its goals ask for.
std::vector<Task> TasksOf(const std::string& spec) {
  std::vector<Task> tasks = {{Task::Kind::kFeedback}, {Task::Kind::kEncode}, {Task::Kind::kDecode, 2}};
  for (const Goal& goal : Goals())
    if (goal.spec == spec && std::ranges::find(tasks, goal.task) == tasks.end()) tasks.push_back(goal.task);
  return tasks;
}

/// Opened before anything is measured, so that a name which cannot be written costs no minutes.
std::ofstream Open(const std::string& file) {
  std::ofstream out;
  if (file.empty()) return out;
  out.open(file);
  if (!out)
    throw ConfigError(
        fmt::format("bench kernels: --json {}: cannot be written; expected a file in a folder that is there", file));
  return out;
}

void Check(const kernels::Isa& isa, const std::vector<std::string>& specs, KernelsReport& report) {
  for (const std::string& name : WrongKernels(isa))
    report.wrong.push_back({"kernel " + name, "writes other bytes than the scalar kernel"});
  for (const std::string& spec : specs)
    if (std::string what = WhatIsWrong(spec, isa, std::min(report.numel, kCheckedNumel)); !what.empty())
      report.wrong.push_back({spec, std::move(what)});
}

/// Says each line as soon as it is measured.
void Measure(const std::vector<std::string>& specs, bool positions, KernelsReport& report, std::ostream& out) {
  BenchBuffers buffers(report.numel);
  report.sets = buffers.sets().size(), report.leave_the_cache = buffers.leave_the_cache();
  report.cache_bytes = LastLevelCacheBytes(), report.huge_page_bytes = HugePageBytes();
  out << Head(report) << std::flush;
  for (const std::string& spec : specs) {
    report.operators.push_back(TimeOperator(spec, TasksOf(spec), buffers, report.rounds));
    out << Rows(report.operators.back(), report.numel) << std::flush;
  }
  for (const double percent : {1.0, 0.1}) {
    if (!positions) break;
    report.positions.push_back(TimePositions(percent, report.numel, report.rounds));
    out << Rows(report.positions.back()) << std::flush;
  }
  if (report.leave_the_cache) report.goals = JudgeAll(report);
  out << GoalsText(report);
}

}  // namespace

int BenchKernels(const KernelsOptions& options, std::ostream& out) {
  const kernels::Isa& isa = IsaOf(options.isa);
  const std::vector<std::string> specs = SpecsOf(options.only);
  std::ofstream json = Open(options.json);
  kernels::Use(isa);
  KernelsReport report;
  report.cpu = ThisCpu(), report.isa = isa.name;
  report.numel = options.numel, report.rounds = options.rounds;
  Check(isa, specs, report);
  for (const auto& [subject, what] : report.wrong)
    out << "WRONG: " << subject << " with the kernels " << isa.name << ": " << what << "\n";
  if (report.wrong.empty()) Measure(specs, Wants(options.only, "positions"), report, out);
  if (json.is_open()) json << ToJson(report);
  return ExitCode(report, options.goals);
}

}  // namespace gradwire::train
