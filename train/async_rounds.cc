// SPDX-License-Identifier: Apache-2.0
#include "train/async_rounds.h"

#include <algorithm>
#include <random>

#include "gradwire/error.h"
#include "gradwire/method.h"
#include "train/async_rules.h"
#include "train/no_workers.h"

namespace gradwire::train {
namespace {

constexpr const char* kColumns = "job,worker,version_read,version_applied,staleness,dropped\n";

uint64_t RandomToken() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) ^ device();
}

std::string Number(uint32_t worker) { return "worker " + std::to_string(worker); }

}  // namespace

AsyncRounds::AsyncRounds(const Config& config, const Membership& member, const std::string& settings,
                         Objective<float>& model, std::function<void(const std::string&)> say)
    : config_(config),
      first_(config.async.server == "dedicated" ? 1 : 0),
      size_(member.size),
      timeout_(member.timeout),
      say_(std::move(say)),
      token_(RandomToken()),
      server_(model, AsyncPartsOf(config), RulesOf(config.async), config.run.seed, token_),
      post_(member, settings, token_, LongestLetter(model.parameters())) {}

AsyncRounds::~AsyncRounds() = default;

void AsyncRounds::Begin(double lr) {
  server_.SetLr(lr);
  std::set<uint32_t> here;
  const auto until = Clock::now() + timeout_;
  while (IsMissingSome(here) || here.empty()) {
    const auto event = post_.Next(until);
    if (!event) break;
    if (event->kind == PostEvent::Kind::kCame) here.insert(event->worker);
    if (event->kind == PostEvent::Kind::kGone) {
      say_(Number(event->worker) + " could not start: " + event->why);
      here.erase(event->worker);
      if (IsOfTheStart(event->worker)) excused_.insert(event->worker);
    }
    if (size_ > first_ && excused_.size() == static_cast<size_t>(size_ - first_) && here.empty())
      throw NoWorkers("no worker could start; the lines above say why");
  }
  for (int rank = first_; rank < size_; ++rank)
    if (const auto worker = static_cast<uint32_t>(rank); !here.contains(worker) && !excused_.contains(worker))
      throw PeerError(rank, "rank " + std::to_string(rank) + " has not come to work within " +
                                std::to_string(timeout_.count()) + " ms, says the server (rank 0): was it started?");
  if (here.empty()) NobodyCame();
  say_("async: " + std::to_string(here.size()) + " workers, " + config_.async.assign + " jobs");
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

bool AsyncRounds::IsMissingSome(const std::set<uint32_t>& here) const {
  const auto come = std::ranges::count_if(here, [this](uint32_t worker) { return IsOfTheStart(worker); });
  return come + static_cast<std::ptrdiff_t>(excused_.size()) < size_ - first_;
}

void AsyncRounds::Step(double lr) {
  server_.SetLr(lr);
  for (const uint64_t before = stats().applied; stats().applied == before;) Handle(Await());
}

PostEvent AsyncRounds::Await() {
  if (auto event = post_.Next(Clock::now() + timeout_)) return std::move(*event);
  std::string whom;
  for (const uint32_t worker : server_.workers())
    if (server_.JobsOf(worker) > 0) whom += (whom.empty() ? "" : ", ") + std::to_string(worker);
  if (whom.empty()) NobodyCame();
  throw Error("no gradient within " + std::to_string(timeout_.count()) +
              " ms, says the server (rank 0): it waits for " + "the workers " + whom +
              "; raise comm.timeout_s where a gradient takes longer");
}

void AsyncRounds::NobodyCame() const {
  throw NoWorkers("no worker is there, and none has joined within " + std::to_string(timeout_.count()) +
                  " ms, says the server (rank 0): join one by --join in time, or go on by checkpoint.resume=auto");
}

void AsyncRounds::Handle(PostEvent event) {
  switch (event.kind) {
    case PostEvent::Kind::kCame:
      say_(Number(event.worker) + " joins at version " + std::to_string(stats().applied));
      return Hand(server_.Join(event.worker));
    case PostEvent::Kind::kMessage: return Handle(event.worker, event.message);
    case PostEvent::Kind::kGone: return Gone(event);
    case PostEvent::Kind::kNoMore: return say_("no further worker can join (" + event.why + ")");
  }
}

void AsyncRounds::Handle(uint32_t worker, const std::vector<std::byte>& letter) {
  if (!IsPresent(worker)) return;  // its message was refused before
  const auto [note, body] = Open<WorkerNote>(letter);
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
    post_.Send(job.worker, Letter(ServerNote{ServerNote::Kind::kJob, job.number, job.lr}, job.model));
}

void AsyncRounds::Gone(const PostEvent& event) {
  if (!IsPresent(event.worker)) return;
  const size_t jobs = server_.JobsOf(event.worker);
  residual_norms_.erase(event.worker);
  const std::vector<AsyncJob> again = server_.Leave(event.worker);
  const std::string what = jobs == 0   ? ""
                           : jobs == 1 ? " with a job, which is given out again"
                                       : " with " + std::to_string(jobs) + " jobs, which are given out again";
  say_(Number(event.worker) + " has gone" + what + "; " + std::to_string(workers()) + " left (" + event.why + ")");
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
