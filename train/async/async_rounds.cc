// SPDX-License-Identifier: Apache-2.0
#include "train/async/async_rounds.h"

#include <algorithm>
#include <random>

#include "base/notice.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "train/config/async_rules.h"
#include "train/loop/driver.h"

namespace gradwire::train {
namespace {

constexpr const char* kColumns = "job,worker,version_read,version_applied,staleness,dropped\n";

uint64_t RandomToken() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) ^ device();
}

constexpr std::chrono::milliseconds kBetweenNotices{500};

std::string Number(uint32_t worker) { return "worker " + std::to_string(worker); }

}  // namespace

AsyncRounds::AsyncRounds(const Config& config, const Membership& member, const std::string& settings,
                         Objective<float>& model, std::function<void(const std::string&)> log)
    : config_(config),
      first_(config.async.server == "dedicated" ? 1 : 0),
      size_(member.size),
      timeout_(member.timeout),
      log_(std::move(log)),
      token_(RandomToken()),
      server_(model, AsyncPartsOf(config), RulesOf(config.async), config.run.seed, token_),
      post_(member, settings, token_, LongestMessage(model.parameters())) {}

AsyncRounds::~AsyncRounds() = default;

void AsyncRounds::Begin(double lr) {
  server_.SetLr(lr);
  std::set<uint32_t> here;
  const auto begin = Clock::now(), until = begin + timeout_;
  Notice notice(timeout_);
  while ((!Missing(here).empty() || here.empty()) && Clock::now() < until) {
    const auto event = post_.Next(std::min(until, Clock::now() + kBetweenNotices));
    if (!event) {
      const std::vector<int> missing = Missing(here);
      Notify(notice, begin, (missing.empty() ? "a worker" : NameRanks(missing)) + " to come");
      continue;
    }
    if (event->kind == PostEvent::Kind::kCame) here.insert(event->worker);
    if (event->kind == PostEvent::Kind::kGone) {
      log_(Number(event->worker) + " could not start: " + event->why);
      here.erase(event->worker);
      if (IsOfTheStart(event->worker)) excused_.insert(event->worker);
    }
    if (size_ > first_ && excused_.size() == static_cast<size_t>(size_ - first_) && here.empty())
      throw NoWorkers("no worker could start; the lines above say why");
  }
  for (const int rank : Missing(here))
    log_("rank " + std::to_string(rank) + " has not come to work within " + std::to_string(timeout_.count()) +
         " ms: was it started, and does it run? The run goes on without it, and takes it when it comes");
  if (here.empty()) NobodyCame();
  log_("async: " + std::to_string(here.size()) + " workers, " + config_.async.assign + " jobs");
  jobs_.open(JobsFile(config_));
  if (!jobs_) throw Error(JobsFile(config_) + ": cannot be written; check run.output_dir and its permissions");
  jobs_ << kColumns << kept_jobs_ << std::flush;
  std::vector<AsyncJob> jobs;
  for (const uint32_t worker : here)
    for (AsyncJob& job : server_.Join(worker)) jobs.push_back(std::move(job));
  Hand(jobs);
}

bool AsyncRounds::IsOfTheStart(uint32_t worker) const {
  return static_cast<int>(worker) >= first_ && static_cast<int>(worker) < size_;
}

/// Ranks that have neither come nor said that they will not.
std::vector<int> AsyncRounds::Missing(const std::set<uint32_t>& here) const {
  std::vector<int> ranks;
  for (int rank = first_; rank < size_; ++rank)
    if (const auto worker = static_cast<uint32_t>(rank); !here.contains(worker) && !excused_.contains(worker))
      ranks.push_back(rank);
  return ranks;
}

void AsyncRounds::Notify(Notice& notice, Clock::time_point begin, const std::string& what) const {
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  if (notice.IsDue(waited))
    log_("the server has waited " + Seconds(waited) + " for " + what + "; it gives up after " + Seconds(timeout_));
}

void AsyncRounds::Step(double lr) {
  server_.SetLr(lr);
  for (const uint64_t before = stats().applied; stats().applied == before;) Handle(Await());
}

PostEvent AsyncRounds::Await() {
  const auto begin = Clock::now(), until = begin + timeout_;
  Notice notice(timeout_);
  while (Clock::now() < until) {
    if (auto event = post_.Next(std::min(until, Clock::now() + kBetweenNotices))) return std::move(*event);
    Notify(notice, begin, server_.workers().empty() ? "a worker" : "a gradient of " + NameRanks(Busy(), "worker"));
  }
  const std::vector<int> busy = Busy();
  if (busy.empty()) NobodyCame();
  throw Error("no gradient within " + std::to_string(timeout_.count()) +
              " ms, says the server (rank 0): it waits for " + NameRanks(busy, "worker") +
              "; raise comm.timeout_s where a gradient takes longer");
}

/// Workers that have a job.
std::vector<int> AsyncRounds::Busy() const {
  std::vector<int> workers;
  for (const uint32_t worker : server_.workers())
    if (server_.JobsOf(worker) > 0) workers.push_back(static_cast<int>(worker));
  return workers;
}

void AsyncRounds::NobodyCame() const {
  throw NoWorkers("no worker is there, and none has joined within " + std::to_string(timeout_.count()) +
                  " ms, says the server (rank 0): join one by --join in time, or go on by checkpoint.resume=auto");
}

void AsyncRounds::Handle(PostEvent event) {
  switch (event.kind) {
    case PostEvent::Kind::kCame:
      log_(Number(event.worker) + " joins at version " + std::to_string(stats().applied));
      return Hand(server_.Join(event.worker));
    case PostEvent::Kind::kMessage: return Handle(event.worker, event.message);
    case PostEvent::Kind::kGone: return Gone(event);
    case PostEvent::Kind::kNoMore: return log_("no further worker can join (" + event.why + ")");
  }
}

void AsyncRounds::Handle(uint32_t worker, const std::vector<std::byte>& message) {
  if (!IsPresent(worker)) return;  // its message was refused before
  const auto [note, body] = ParseMessage<WorkerNote>(message);
  if (note.kind == WorkerNote::Kind::kFailed) {
    const std::string why(reinterpret_cast<const char*>(body.data()), body.size());
    throw Error("version " + std::to_string(stats().applied) + ": " + Number(worker) + " says: " + why);
  }
  try {
    Hand(server_.Apply(worker, body));
  } catch (const PeerError& error) {
    post_.Dismiss(worker);
    return Gone({PostEvent::Kind::kGone, worker, {}, error.what()});
  } catch (const Error&) {  // in the message about the model, to whomever
    throw Error("version " + std::to_string(stats().applied) +
                ": the model has a non-finite element; lower optimizer.lr or add lr_scheduler.warmup_epochs");
  }
  tally_ += note.tally;
  totals_.compute_s += note.compute_s, totals_.encode_s += note.encode_s, totals_.wait_s += note.wait_s;
  residual_norms_[worker] = note.residual_norm;
  Record(server_.last());
}

void AsyncRounds::Hand(const std::vector<AsyncJob>& jobs) {
  for (const AsyncJob& job : jobs)
    post_.Send(job.worker, MakeMessage(ServerNote{ServerNote::Kind::kJob, job.number, job.lr}, job.model));
}

void AsyncRounds::Gone(const PostEvent& event) {
  if (!IsPresent(event.worker)) return;
  const size_t jobs = server_.JobsOf(event.worker);
  residual_norms_.erase(event.worker);
  const std::vector<AsyncJob> again = server_.Leave(event.worker);
  const std::string what = jobs == 0   ? ""
                           : jobs == 1 ? " with a job, which is given out again"
                                       : " with " + std::to_string(jobs) + " jobs, which are given out again";
  log_(Number(event.worker) + " has gone" + what + "; " + std::to_string(workers()) + " left (" + event.why + ")");
  Hand(again);
}

bool AsyncRounds::IsPresent(uint32_t worker) const {
  return std::ranges::find(server_.workers(), worker) != server_.workers().end();
}

double AsyncRounds::ResidualNorm() const {
  double sum = 0;
  for (const auto& item : residual_norms_) sum += item.second;
  return residual_norms_.empty() ? 0 : sum / static_cast<double>(residual_norms_.size());
}

void AsyncRounds::Record(const JobRecord& record) {
  jobs_ << record.number << ',' << record.worker << ',' << record.read << ',' << record.applied << ','
        << record.staleness() << ',' << record.dropped << '\n';
  jobs_.flush();
}

}  // namespace gradwire::train
