// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "gradwire/error.h"
#include "train/async/async_rounds.h"

namespace gradwire::train {
namespace {

constexpr const char *kJobs = "async jobs", *kStaleness = "async staleness", *kCounts = "async counts";

std::vector<uint64_t> Numbers(const Snapshot& file, const char* name) {
  std::vector<uint64_t> values(file.Bytes(name).size() / sizeof(uint64_t));
  file.Fill(name, std::span<uint64_t>(values));
  return values;
}

/// The rows of jobs.csv whose gradient was applied before a version.
std::string RowsBefore(const std::string& path, uint64_t version) {
  std::ifstream file(path);
  std::string kept, line;
  while (std::getline(file, line)) {
    size_t at = 0;  // of the fourth column
    for (int commas = 0; commas < 3 && at != std::string::npos; ++commas) at = line.find(',', at == 0 ? 0 : at + 1);
    uint64_t applied = version;
    if (at != std::string::npos) std::from_chars(line.data() + at + 1, line.data() + line.size(), applied);
    if (applied < version) kept += line + "\n";
  }
  return kept;
}

}  // namespace

void AsyncRounds::Save(Snapshot& file) const {
  const AsyncStats& seen = stats();
  std::vector<uint64_t> jobs = server_.Unfinished(), staleness;
  jobs.push_back(server_.next_number());
  for (const auto& [versions, count] : seen.staleness) staleness.push_back(versions), staleness.push_back(count);
  const std::vector<uint64_t> counts = {seen.applied, seen.dropped,  seen.tau_max,
                                        seen.tau_c,   seen.bytes_up, seen.bytes_down};
  file.Put(kJobs, std::span<const uint64_t>(jobs));
  file.Put(kStaleness, std::span<const uint64_t>(staleness));
  file.Put(kCounts, std::span<const uint64_t>(counts));
}

void AsyncRounds::Load(const Snapshot& file) {
  std::vector<uint64_t> jobs = Numbers(file, kJobs);
  const std::vector<uint64_t> staleness = Numbers(file, kStaleness), counts = Numbers(file, kCounts);
  if (jobs.empty() || counts.size() != 6 || staleness.size() % 2 != 0)
    throw Error(file.path() + ": has no state of an asynchronous server");
  AsyncStats seen{counts[0], counts[1], {}, counts[2], counts[3], counts[4], counts[5]};
  for (size_t i = 0; i < staleness.size(); i += 2) seen.staleness[staleness[i]] = staleness[i + 1];
  const uint64_t next = jobs.back();
  jobs.pop_back();
  server_.Resume(next, jobs, seen);
  kept_jobs_ = RowsBefore(JobsFile(config_), seen.applied);
}

}  // namespace gradwire::train
