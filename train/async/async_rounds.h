// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/notice.h"
#include "base/snapshot_file.h"
#include "driver/async.h"
#include "gradwire/error.h"
#include "train/async/async_messages.h"
#include "train/async/async_post.h"
#include "train/config/config.h"

namespace gradwire::train {

/// Sums over the jobs of a run, by what workers say of them; seconds.
struct JobTotals {
  double compute_s = 0, encode_s = 0, wait_s = 0;
};

/// The server's side of an asynchronous run of a network, driver T3 over processes: a step is an applied gradient. Not
/// thread-safe.
class AsyncRounds {
 public:
  /// `member`: the job's store; its size is that of the ranks that are started together. `model`: what is trained; its
  /// gradient() must exist. `settings`: by MeetingText. `log`: for what the user should know. Both outlive this.
  AsyncRounds(const Config& config, const Membership& member, const std::string& settings, Objective<float>& model,
              std::function<void(const std::string&)> log);
  ~AsyncRounds();

  /// Waits for the workers that are started with the server, and hands out the first jobs. Those that do not come
  /// within the timeout are named and passed over; they may come later. Throws NoWorkers where none came.
  void Begin(double lr);
  /// Until one more gradient has been applied; workers that come and go are served meanwhile. Throws NoWorkers where
  /// none is left and none joins within the timeout, and Error where those that have jobs have sent nothing for the
  /// timeout, or where a worker's gradient or the model is not finite.
  void Step(double lr);

  size_t workers() const { return server_.workers().size(); }
  const AsyncStats& stats() const { return server_.stats(); }
  const JobTotals& totals() const { return totals_; }
  /// Loss and accuracy of the gradients that arrived since the last call.
  Tally TakeTally() { return std::exchange(tally_, {}); }
  /// Mean over the present workers' error feedback.
  double ResidualNorm() const;

  /// Counts and unfinished jobs, for a later run to go on from: before its Begin. Workers' memory is their own.
  void Save(Snapshot& file) const;
  void Load(const Snapshot& file);

 private:
  using Clock = AsyncPost::Clock;

  PostEvent Await();
  void Handle(PostEvent event);
  void Handle(uint32_t worker, const std::vector<std::byte>& message);
  void Hand(const std::vector<AsyncJob>& jobs);
  void Gone(const PostEvent& event);
  void Record(const JobRecord& record);
  [[noreturn]] void NobodyCame() const;
  bool IsPresent(uint32_t worker) const;
  bool IsOfTheStart(uint32_t worker) const;
  std::vector<int> Missing(const std::set<uint32_t>& here) const;
  std::vector<int> Busy() const;
  void Notify(Notice& notice, Clock::time_point begin, const std::string& what) const;
  static std::string JobsFile(const Config& config) { return config.run.output_dir + "/jobs.csv"; }

  const Config& config_;
  const int first_, size_;  // ranks of the workers that are started together: from first_ to size_ - 1
  const std::chrono::milliseconds timeout_;
  std::function<void(const std::string&)> log_;
  uint64_t token_;
  AsyncServer<float> server_;
  std::set<uint32_t> excused_;  // of those that are started together: gone before the beginning
  std::map<uint32_t, double> residual_norms_;
  std::ofstream jobs_;     // jobs.csv
  std::string kept_jobs_;  // its rows of before
  JobTotals totals_;
  Tally tally_;
  AsyncPost post_;  // ends first: its threads know nothing of the rest
};

}  // namespace gradwire::train
