// SPDX-License-Identifier: Apache-2.0
#include "train/bench/kernels_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gradwire::train {
namespace {

using Json = nlohmann::ordered_json;

double Megabytes(size_t bytes) { return 1e-6 * static_cast<double>(bytes); }

Json ToJson(const Interval& interval) {
  return {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}};
}

Json ByRoofline(const std::array<Interval, kRooflines.size()>& intervals) {
  Json json;
  for (size_t r = 0; r < kRooflines.size(); ++r) json[std::string(NameOf(kRooflines[r]))] = ToJson(intervals[r]);
  return json;
}

Json ToJson(const OperatorTimes& times, size_t numel) {
  Json tasks = Json::array();
  for (const Timed& timed : times.tasks)
    tasks.push_back({{"task", NameOf(timed.task)},
                     {"seconds", ToJson(timed.seconds)},
                     {"bytes_per_s", 4.0 * static_cast<double>(numel) / timed.seconds.median},
                     {"roofline", NameOf(RooflineOf(timed.task))},
                     {"ratios", ByRoofline(timed.ratios)}});
  return {{"operator", times.spec},
          {"payload_bytes", times.payload_bytes},
          {"rooflines_seconds", ByRoofline(times.rooflines)},
          {"tasks", tasks}};
}

}  // namespace

std::vector<KernelsReport::Judged> JudgeAll(const KernelsReport& report) {
  std::vector<KernelsReport::Judged> judged;
  const auto judge = [&](int number, const std::string& subject, const std::string& task, const std::string& unit,
                         double limit, const Interval& measured) {
    judged.push_back({number, subject, task, unit, limit, measured, Judge(measured, limit)});
  };
  for (const Goal& goal : Goals())
    for (const OperatorTimes& times : report.operators)
      for (const Timed& timed : times.tasks) {
        const auto limit = LimitOf(goal, report.isa, report.cpu.vendor);
        if (!limit || times.spec != goal.spec || timed.task != goal.task) continue;
        judge(goal.number, times.spec, NameOf(goal.task), "x " + std::string(NameOf(goal.roofline)), *limit,
              timed.ratios[static_cast<size_t>(goal.roofline)]);
      }
  for (const PositionTimes& times : report.positions) {
    if (report.isa == "scalar") break;
    const double of_entropy = times.bits / times.entropy;
    judge(10, times.name, "bits", "x entropy", kEntropyLimit, {of_entropy, of_entropy, of_entropy});
    judge(10, times.name, "write", "ns", kWriteLimit_ns, times.write_ns);
    judge(10, times.name, "read", "ns", kReadLimit_ns, times.read_ns);
  }
  return judged;
}

int ExitCode(const KernelsReport& report, bool goals) {
  if (!report.wrong.empty()) return kWrongResult;
  const auto is_missed = [](const KernelsReport::Judged& judged) { return judged.verdict == Verdict::kMissed; };
  return goals && std::ranges::any_of(report.goals, is_missed) ? kGoalMissed : 0;
}

std::string TextOf(const Interval& interval, int decimals) {
  return fmt::format("{0:.{3}f} ({1:.{3}f}-{2:.{3}f})", interval.median, interval.low, interval.high, decimals);
}

std::string Head(const KernelsReport& report) {
  const size_t vector = report.numel * sizeof(float);
  std::string text = fmt::format(
      "{}, kernels {}, one thread, {} rounds\n{} float32, {:.1f} MB; {} sets of four such vectors take turns, {:.0f} "
      "MB "
      "of them in huge pages; {}\n\n",
      report.cpu.model.empty() ? "CPU" : report.cpu.model, report.isa, report.rounds, report.numel, Megabytes(vector),
      report.sets, Megabytes(report.huge_page_bytes),
      report.leave_the_cache ? fmt::format("the last-level cache has {:.0f} MB", Megabytes(report.cache_bytes))
                             : "they stay in the cache: no measure of memory");
  return text + fmt::format("{:<30}{:<20}{:>9}{:>8}   {}\n", "operator", "task", "ms", "GB/s", "x roofline (95 %)");
}

std::string Rows(const OperatorTimes& times, size_t numel) {
  std::string text;
  for (const Timed& timed : times.tasks) {
    const Roofline roofline = RooflineOf(timed.task);
    text += fmt::format("{:<30}{:<20}{:>9.2f}{:>8.1f}   {} of {}\n", times.spec, NameOf(timed.task),
                        1e3 * timed.seconds.median, 4e-9 * static_cast<double>(numel) / timed.seconds.median,
                        TextOf(timed.ratios[static_cast<size_t>(roofline)]), NameOf(roofline));
  }
  return text;
}

std::string Rows(const PositionTimes& times) {
  return fmt::format("{:<30}{:.2f} bits each, {:.2f} of entropy; ns each to write {}, to read {}\n", times.name,
                     times.bits, times.bits / times.entropy, TextOf(times.write_ns), TextOf(times.read_ns));
}

std::string GoalsText(const KernelsReport& report) {
  if (!report.leave_the_cache)
    return "\nno goals: they are of vectors that lie in no cache; expected a larger --numel\n";
  if (report.goals.empty()) return fmt::format("\nno goals for {} among what was measured\n", report.isa);
  std::string text =
      "\nGoals, as multiples of passes over the same vector; missed where the whole interval is above the limit\n";
  for (const KernelsReport::Judged& goal : report.goals)
    text += fmt::format("{:>4} {:<15}{:<20}<= {:<5g}{:<10}{:<20} {}\n", goal.number, goal.subject, goal.task,
                        goal.limit, goal.unit, TextOf(goal.measured), NameOf(goal.verdict));
  return text;
}

std::string ToJson(const KernelsReport& report) {
  Json operators = Json::array(), wrong = Json::array(), goals = Json::array(), positions = Json::array();
  for (const OperatorTimes& times : report.operators) operators.push_back(ToJson(times, report.numel));
  for (const auto& [subject, what] : report.wrong) wrong.push_back({{"subject", subject}, {"what", what}});
  for (const KernelsReport::Judged& goal : report.goals)
    goals.push_back({{"goal", goal.number},
                     {"subject", goal.subject},
                     {"task", goal.task},
                     {"unit", goal.unit},
                     {"limit", goal.limit},
                     {"measured", ToJson(goal.measured)},
                     {"verdict", NameOf(goal.verdict)}});
  for (const PositionTimes& times : report.positions)
    positions.push_back({{"name", times.name},
                         {"bits", times.bits},
                         {"entropy", times.entropy},
                         {"write_ns", ToJson(times.write_ns)},
                         {"read_ns", ToJson(times.read_ns)}});
  const Json json = {{"cpu", report.cpu.model},
                     {"vendor", report.cpu.vendor},
                     {"isa", report.isa},
                     {"threads", 1},
                     {"numel", report.numel},
                     {"rounds", report.rounds},
                     {"sets", report.sets},
                     {"cache_bytes", report.cache_bytes},
                     {"huge_page_bytes", report.huge_page_bytes},
                     {"leaves_the_cache", report.leave_the_cache},
                     {"operators", operators},
                     {"positions", positions},
                     {"wrong", wrong},
                     {"goals", goals}};
  return json.dump(2) + "\n";
}

}  // namespace gradwire::train
